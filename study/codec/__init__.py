"""Pictures to files and back: context model, file format, weights, standard codecs, command line."""
