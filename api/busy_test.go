package api

import "testing"

func TestOneCallerTakesFourPlacesAndNoMore(t *testing.T) {
	var b busy
	for i := range perCallerInFlight {
		if !b.enter("alice") {
			t.Fatalf("request %d was turned away", i+1)
		}
	}
	if b.enter("alice") {
		t.Error("a fifth request was let in")
	}
	if !b.enter("bob") {
		t.Error("somebody else was turned away")
	}
	b.leave("alice")
	if !b.enter("alice") {
		t.Error("the place that was left is not free")
	}
	for range perCallerInFlight {
		b.leave("alice")
	}
	b.leave("bob")
	if len(b.count) != 0 {
		t.Errorf("who has left is still counted: %v", b.count)
	}
}
