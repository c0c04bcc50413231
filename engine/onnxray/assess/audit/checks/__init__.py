"""The checks of an audit, one file each; the file is named as the check is, with underscores."""
