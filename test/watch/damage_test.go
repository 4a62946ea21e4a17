package watch_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestADamagedLedgerIsRefusedUntilSomebodySaysRepair(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.configure(w.subscribe(), "", noGrants)
	p := w.ready(w.start())
	const path = "projects/prod-1/zones/europe-west1-b/disks/"
	w.publish(entry(1, now(), alice, gce, deleteDisk, path+"shop", nil))
	w.alertOn(gcpRef + gce + "/" + path + "shop")
	w.stop(p)

	ledger := filepath.Join(w.folder, "ledger.db")
	data, err := os.ReadFile(ledger)
	if err != nil {
		t.Fatal(err)
	}
	for i := 2 * os.Getpagesize(); i < 5*os.Getpagesize(); i++ { // behind the two meta pages
		data[i] ^= 0x5a
	}
	w.write("ledger.db", string(data))

	p = w.start()
	if talk, code := w.end(p); code != 1 || !strings.Contains(talk, ledger) || !strings.Contains(talk, "--repair") || strings.Contains(talk, "goroutine") {
		t.Errorf("exit %d, and it says\n%s", code, talk)
	}
	if now, err := os.ReadFile(ledger); err != nil || string(now) != string(data) {
		t.Errorf("the file is not what it was (%v)", err)
	}

	p = w.ready(w.start("--repair"))
	if talk := p.talk.String(); !strings.Contains(talk, "was damaged, and is kept as "+ledger+".damaged-") {
		t.Errorf("it says\n%s", talk)
	}
	kept, err := filepath.Glob(ledger + ".damaged-*")
	if err != nil || len(kept) != 1 {
		t.Fatalf("kept are %v (%v)", kept, err)
	}
	if old, err := os.ReadFile(kept[0]); err != nil || string(old) != string(data) {
		t.Errorf("what is kept is not the damaged file (%v)", err)
	}
	w.publish(entry(2, now(), bob, gce, deleteDisk, path+"other", nil))
	w.alertOn(gcpRef + gce + "/" + path + "other")
	w.stop(p)

	p = w.ready(w.start("--repair")) // a flag that was left there does no harm
	if talk := p.talk.String(); !strings.Contains(talk, "is not damaged") {
		t.Errorf("it says\n%s", talk)
	}
}
