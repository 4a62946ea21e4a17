// Package policies holds the policies that Mollyguard comes with: the Rego
// files, each with its test beside it, their canaries, and the JSON Schemas that
// policies are compiled against. The schemas are generated from packages
// operation and breakglass (make generate).
package policies

import (
	"embed"
	"io/fs"
)

//go:embed mollyguard issuance schema
var files embed.FS

// Embedded returns the folder of the embedded policies that judge operations:
// *.rego, *_test.rego and canary_*.json.
func Embedded() fs.FS { return folder("mollyguard") }

// Issuance returns the folder of the embedded issuing policy, which judges who is
// granted what.
func Issuance() fs.FS { return folder("issuance") }

// Schema returns the JSON Schema of what the policies of Embedded see.
func Schema() []byte { return schema("input") }

// IssuanceSchema returns the JSON Schema of what issuing policy sees.
func IssuanceSchema() []byte { return schema("issuance") }

func folder(name string) fs.FS {
	sub, err := fs.Sub(files, name)
	if err != nil {
		panic(err) // only for a name that is not a valid path
	}
	return sub
}

func schema(name string) []byte {
	data, err := files.ReadFile("schema/" + name + ".json")
	if err != nil {
		panic(err) // the file is embedded above
	}
	return data
}
