package inventory

import (
	"context"
	"strings"
	"time"

	"github.com/mollyguard/mollyguard/auditlog"
	"github.com/mollyguard/mollyguard/ledger"
	"github.com/mollyguard/mollyguard/operation"
)

var _ auditlog.Family = (*Inventory)(nil)

// maxBelow is how many resources below another are looked at: reading one takes a few
// microseconds, so all of them some tens of milliseconds.
const maxBelow = 10_000

// Below calls do with what was in a resource at a time: the node pools of a cluster, the
// tables of a dataset, everything in a project. It returns true if there is more than
// maxBelow of it. An error is of the ledger, or of ctx.
func (i *Inventory) Below(ctx context.Context, ref string, at time.Time, do func(auditlog.Child)) (more bool, err error) {
	service, path, ok := operation.ParseGCPRef(ref)
	if !ok {
		return false, nil
	}
	service, path = canonical(service, path)
	b := below{prefix: prefixAsset + service + "/" + path + "/", at: at.UnixMicro(), do: do}
	if project := projectOf(path); path == "projects/"+project {
		b.prefix, b.project = prefixAsset, "/projects/"+project+"/"
	}
	if i.static != nil {
		for key, text := range i.static {
			if strings.HasPrefix(key, b.prefix) && !b.take(key, text) {
				break
			}
		}
		return b.more, ctx.Err()
	}
	err = i.o.Ledger.View(ctx, func(tx *ledger.Tx) error {
		tx.Scan(ledger.TableAssets, b.prefix, "", b.take)
		return nil
	})
	return b.more, err
}

// below looks at keys of the table.
type below struct {
	prefix string
	// project is what a key has to hold; empty for all below prefix.
	project string
	at      int64
	do      func(auditlog.Child)
	taken   int
	more    bool
}

// take reports whether to go on.
func (b *below) take(key string, text []byte) bool {
	if b.project != "" && !strings.Contains(key, b.project) {
		return true
	}
	r, err := decodeRecord(text)
	if err != nil { // it is written anew by the next search
		return true
	}
	v, ok := r.asOf(b.at)
	if newest := r.newest(); !ok || r.Created > b.at || newest.Gone != there && newest.From < b.at {
		return true
	}
	if b.taken == maxBelow {
		b.more = true
		return false
	}
	b.taken++
	b.do(auditlog.Child{Kind: r.Kind[strings.LastIndexByte(r.Kind, '/')+1:], Name: key[strings.LastIndexByte(key, '/')+1:], Labels: v.Labels})
	return true
}
