package alert

import (
	"fmt"

	"github.com/mollyguard/mollyguard/operation"
)

// Counted says how many there are of a kind of object, as people do: 1 Ingress, 2
// Ingresses. A kind that ends like a plural, as Settings and Endpoints, is left as it is.
func Counted(n int, kind string) string {
	if n != 1 && kind != unknownKind {
		kind = operation.Plural(kind)
	}
	return fmt.Sprintf("%d %s", n, kind)
}

// unknownKind is what is counted that has no kind.
const unknownKind = "unknown"
