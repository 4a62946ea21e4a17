package api

import "slices"

// Paths lists the paths that are served.
func Paths() []string {
	var paths []string
	for _, r := range routes() {
		paths = append(paths, r.path)
	}
	slices.Sort(paths)
	return slices.Compact(paths)
}
