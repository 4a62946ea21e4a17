// Package policies holds the policies that Mollyguard comes with: the Rego
// files, each with its test beside it, their canaries, and the JSON Schema that
// policies are compiled against. The schema is generated from package operation
// (go test ./operation -update).
package policies

import (
	"embed"
	"io/fs"
)

//go:embed mollyguard schema
var files embed.FS

// Embedded returns the folder of the embedded policies: *.rego, *_test.rego and
// canary_*.json.
func Embedded() fs.FS {
	sub, err := fs.Sub(files, "mollyguard")
	if err != nil {
		panic(err) // only for a name that is not a valid path
	}
	return sub
}

// Schema returns the JSON Schema of the input document.
func Schema() []byte {
	data, err := files.ReadFile("schema/input.json")
	if err != nil {
		panic(err) // the file is embedded above
	}
	return data
}
