package mapping

import "testing"

func TestTheEmbeddedTableIsRight(t *testing.T) {
	if _, err := New(Options{}); err != nil {
		t.Fatal(err)
	}
}
