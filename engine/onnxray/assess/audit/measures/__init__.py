"""What checks measure with: pictures read one by one, labels as classes, figures with their intervals."""
