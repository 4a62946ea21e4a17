package pace

import (
	"cmp"
	"encoding/binary"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"
)

// What is shared is a byte that says how it is written, then for each actor
//
//	8 bytes  digest of the name, 0 for the crowd
//	uvarint  how many entries follow
//	18 bytes for each: digest of the object (8), of the namespace (4), milliseconds since
//	         1970 (6); all big-endian
//
// in the order of the digests, entries in the order of their times.
const (
	shareVersion = 1
	actorSize    = 8
	entrySize    = 8 + 4 + 6
	// MaxShared is how large it is at most: each entry of an actor of its own, whose number
	// of entries takes two bytes.
	MaxShared = 1 + (maxOwn+MaxLimit+1)*(actorSize+2+entrySize)
)

// Export returns what this process has counted, for other replicas to Merge, or nil if
// there is nothing within the window. The same entries are always the same bytes. It is
// no larger than MaxShared.
func (b *Book) Export(now time.Time) []byte {
	b.lock.Lock()
	defer b.lock.Unlock()
	b.sweep(now.UnixMilli())
	data := appendRecord([]byte{shareVersion}, crowdActor, &b.crowd)
	for _, actor := range slices.Sorted(maps.Keys(b.records)) {
		data = appendRecord(data, actor, b.records[actor])
	}
	if len(data) == 1 {
		return nil
	}
	return data
}

func appendRecord(data []byte, actor uint64, r *record) []byte {
	if r.own == 0 {
		return data
	}
	entries := slices.DeleteFunc(slices.Clone(r.entries), func(e entry) bool { return !e.own })
	slices.SortFunc(entries, func(a, b entry) int {
		return cmp.Or(cmp.Compare(a.at, b.at), cmp.Compare(a.object, b.object))
	})
	data = binary.BigEndian.AppendUint64(data, actor)
	data = binary.AppendUvarint(data, uint64(len(entries)))
	for _, e := range entries {
		data = binary.BigEndian.AppendUint64(data, e.object)
		data = binary.BigEndian.AppendUint32(data, e.namespace)
		at := binary.BigEndian.AppendUint64(nil, uint64(e.at))
		data = append(data, at[2:]...) // 48 bits of milliseconds last until the year 10889
	}
	return data
}

// Merge counts what another replica has exported. What is known or too old changes
// nothing, so it may be merged again and again. A replica whose clock is ahead has its
// entries counted as of now. An error means that data is not what Export returns; nothing
// of it is counted then.
func (b *Book) Merge(data []byte, now time.Time) error { return b.take(data, now, false) }

// Restore is Merge for what this very replica exported before it was started again: it
// exports it again.
func (b *Book) Restore(data []byte, now time.Time) error { return b.take(data, now, true) }

func (b *Book) take(data []byte, now time.Time, own bool) error {
	// Decoded twice: all of it has to be right before anything is counted.
	if err := decode(data, func(uint64, entry) {}); err != nil {
		return fmt.Errorf("read the counts of a replica: %w", err)
	}
	b.lock.Lock()
	defer b.lock.Unlock()
	at := now.UnixMilli()
	return decode(data, func(actor uint64, e entry) {
		e.own, e.at = own, min(e.at, at)
		b.insert(actor, e, at)
	})
}

var errTruncated = errors.New("it ends too early")

// decode calls do with each entry of what Export returned.
func decode(data []byte, do func(actor uint64, e entry)) error {
	switch {
	case len(data) == 0:
		return nil
	case len(data) > MaxShared:
		return fmt.Errorf("%d bytes, more than the %d that there can be", len(data), MaxShared)
	case data[0] != shareVersion:
		return fmt.Errorf("it is written in way %d, this is way %d", data[0], shareVersion)
	}
	for data = data[1:]; len(data) > 0; {
		if len(data) < actorSize {
			return errTruncated
		}
		actor := binary.BigEndian.Uint64(data)
		count, n := binary.Uvarint(data[actorSize:])
		if n <= 0 {
			return errTruncated
		}
		data = data[actorSize+n:]
		if count > uint64(len(data)/entrySize) {
			return errTruncated
		}
		for range count {
			do(actor, entry{
				object:    binary.BigEndian.Uint64(data),
				namespace: binary.BigEndian.Uint32(data[8:]),
				at:        int64(binary.BigEndian.Uint32(data[12:]))<<16 | int64(binary.BigEndian.Uint16(data[16:])),
			})
			data = data[entrySize:]
		}
	}
	return nil
}
