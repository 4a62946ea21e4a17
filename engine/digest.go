package engine

// Digest returns what Set.Digest would of these sources, without compiling them: it changes
// with any byte of any file, and with the name of a file or source. It does not say that they
// are any good.
func Digest(sources []Source) (string, error) {
	files, err := readSources(sources)
	return files.digest, err
}
