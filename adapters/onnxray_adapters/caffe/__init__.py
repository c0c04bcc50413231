"""Caffe's files as ONNX: deploy.prototxt and net.caffemodel in, a checked model and its profile out.

text_format.py   the prototxt as messages      fields.py   which fields there are, by their names and numbers
wire.py          the caffemodel's bytes        weights.py  layer name -> blobs, where they lie in the file
net.py           layers in order, of one phase, each output by a name of its own
layers/          one file a family of layers   conversion.py  the net as an ONNX graph
profile.py       preprocessing                 sources.py  which files belong together; the converter itself
"""
