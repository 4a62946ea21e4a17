package logging

import (
	"crypto/sha256"
	"encoding/binary"

	"cloud.google.com/go/logging/apiv2/loggingpb"
)

// maxSeen is how many entries are remembered at least: the last two generations of
// 50,000, at some 40 bytes each in a map, are 4 MiB, and more than come within Overlap
// (5 minutes of 5,000). What is forgotten too early is handed out twice, and known to
// the Watcher.
const maxSeen = 50_000

// key tells entries from others, as Cloud Logging does.
type key [16]byte

func keyOf(e *loggingpb.LogEntry) key {
	h := sha256.New()
	var n [20]byte
	binary.BigEndian.PutUint64(n[:], uint64(e.GetTimestamp().GetSeconds()))
	binary.BigEndian.PutUint32(n[8:], uint32(e.GetTimestamp().GetNanos()))
	binary.BigEndian.PutUint64(n[12:], uint64(len(e.GetLogName())))
	h.Write(n[:])
	h.Write([]byte(e.GetLogName()))
	h.Write([]byte(e.GetInsertId()))
	return key(h.Sum(nil))
}

// seen remembers what was handed out.
type seen struct {
	size         int
	young, aging map[key]struct{}
}

func newSeen(size int) *seen { return &seen{size: size, young: map[key]struct{}{}} }

func (s *seen) has(k key) bool {
	if _, ok := s.young[k]; ok {
		return true
	}
	_, ok := s.aging[k]
	return ok
}

func (s *seen) add(k key) {
	if len(s.young) >= s.size {
		s.young, s.aging = map[key]struct{}{}, s.young
	}
	s.young[k] = struct{}{}
}
