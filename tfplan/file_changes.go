package tfplan

import (
	"bufio"
	"context"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"strings"

	"google.golang.org/protobuf/encoding/protowire"

	tfjson "github.com/hashicorp/terraform-json"
)

// The parts of a plan file's entry tfplan that are read: a protocol buffer, of which the
// numbers are Terraform's own (internal/plans/planproto/planfile.proto, format version 3,
// Terraform 0.14 and later and OpenTofu).
const (
	formatVersion = 3

	planVersion  protowire.Number = 1
	planChange   protowire.Number = 3
	planBackend  protowire.Number = 13
	planProgram  protowire.Number = 14
	inBackend    protowire.Number = 3 // workspace
	inDeposed    protowire.Number = 7
	inChange     protowire.Number = 9
	inAddress    protowire.Number = 13
	changeAction protowire.Number = 1
)

// Describes returns a *BadPlanError unless a plan's JSON has the very changes of the plan
// file: the same actions on the same objects. JSON of another plan would be judged, and
// this one applied.
func (f *File) Describes(ctx context.Context, d *Document) error {
	if f.changes == nil {
		return badPlan("leave the JSON out, so that terraform show -json is run for the plan file",
			"the plan file is of format version %d, which is not known: whether the JSON is of this plan cannot be told", f.format)
	}
	var told changeSet
	for c, err := range d.Changes(ctx) {
		if err != nil {
			return err
		}
		if c.Kind == Planned {
			told.add(c.Address, c.Deposed, c.Actions)
		}
	}
	if told != *f.changes {
		return badPlan("terraform show -json of this very file makes the JSON that belongs to it",
			"the JSON is of another plan than the plan file: the changes in it (%d) are not those in the file (%d)", told.count, f.changes.count)
	}
	return nil
}

// changeSet sums changes up, whatever their order, so that two plans with the same sum have
// the same changes: it adds digests, each of 256 bits.
type changeSet struct {
	sum   [4]uint64
	count int
}

// add takes in a change, if it changes anything.
func (s *changeSet) add(address, deposed string, actions []tfjson.Action) {
	words := make([]string, len(actions))
	for i, action := range actions {
		words[i] = string(action)
	}
	if did := strings.Join(words, ","); did != string(tfjson.ActionNoop) && did != string(tfjson.ActionRead) {
		digest := sha256.Sum256([]byte(fmt.Sprintf("%q %q %q", address, deposed, did)))
		for i := range s.sum {
			s.sum[i] += binary.LittleEndian.Uint64(digest[i*8:])
		}
		s.count++
	}
}

// planActions are the actions of format version 3 in the words of the JSON.
func planActions(number uint64) []tfjson.Action {
	switch number {
	case 0:
		return []tfjson.Action{tfjson.ActionNoop}
	case 1:
		return []tfjson.Action{tfjson.ActionCreate}
	case 2:
		return []tfjson.Action{tfjson.ActionRead}
	case 3:
		return []tfjson.Action{tfjson.ActionUpdate}
	case 5:
		return []tfjson.Action{tfjson.ActionDelete}
	case 6:
		return []tfjson.Action{tfjson.ActionDelete, tfjson.ActionCreate}
	case 7:
		return []tfjson.Action{tfjson.ActionCreate, tfjson.ActionDelete}
	case 8:
		return []tfjson.Action{tfjson.ActionForget}
	case 9:
		return []tfjson.Action{tfjson.ActionCreate, tfjson.ActionForget}
	}
	return []tfjson.Action{tfjson.Action(fmt.Sprintf("action %d of the plan file", number))}
}

var errProto = errors.New("it is not the protocol buffer that Terraform writes")

// readPlan reads a plan file's entry tfplan as a stream: one change is in memory at a time.
func (f *File) readPlan(from io.Reader) error {
	r := bufio.NewReader(from)
	var found changeSet
	for {
		key, err := binary.ReadUvarint(r)
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return err
		}
		number, kind := protowire.DecodeTag(key)
		if number < 1 {
			return errProto
		}
		switch kind {
		case protowire.VarintType:
			value, err := binary.ReadUvarint(r)
			if err != nil {
				return cutShort(err)
			}
			if number == planVersion {
				f.format = value
			}
		case protowire.Fixed32Type, protowire.Fixed64Type:
			if _, err := r.Discard(map[protowire.Type]int{protowire.Fixed32Type: 4, protowire.Fixed64Type: 8}[kind]); err != nil {
				return cutShort(err)
			}
		case protowire.BytesType:
			if err := f.planField(r, number, &found); err != nil {
				return cutShort(err)
			}
		default:
			return errProto
		}
	}
	if f.format == formatVersion {
		f.changes = &found
	}
	return nil
}

// cutShort is an error for a text that ends within a field.
func cutShort(err error) error {
	if errors.Is(err, io.EOF) {
		return io.ErrUnexpectedEOF
	}
	return err
}

func (f *File) planField(r *bufio.Reader, number protowire.Number, found *changeSet) error {
	length, err := binary.ReadUvarint(r)
	if err != nil {
		return err
	}
	if number != planChange && number != planBackend && number != planProgram {
		return discard(r, length)
	}
	if length > MaxChange {
		return fmt.Errorf("one of its parts has more than %s", bytesText(MaxChange))
	}
	field := make([]byte, length)
	if _, err := io.ReadFull(r, field); err != nil {
		return err
	}
	switch number {
	case planProgram:
		f.program = string(field)
		return nil
	case planBackend:
		return eachField(field, func(number protowire.Number, _ uint64, value []byte) {
			if number == inBackend {
				f.Workspace = string(value)
			}
		})
	}
	return addChange(field, found)
}

func addChange(field []byte, found *changeSet) error {
	var address, deposed string
	var change []byte
	err := eachField(field, func(number protowire.Number, _ uint64, value []byte) {
		switch number {
		case inAddress:
			address = string(value)
		case inDeposed:
			deposed = string(value)
		case inChange:
			change = value
		}
	})
	var action uint64 // left out for no-op
	if err == nil {
		err = eachField(change, func(number protowire.Number, value uint64, _ []byte) {
			if number == changeAction {
				action = value
			}
		})
	}
	found.add(address, deposed, planActions(action))
	return err
}

// eachField calls fn for the fields of a message.
func eachField(message []byte, fn func(number protowire.Number, number64 uint64, value []byte)) error {
	for len(message) > 0 {
		number, kind, tag := protowire.ConsumeTag(message)
		if tag < 0 {
			return errProto
		}
		size := protowire.ConsumeFieldValue(number, kind, message[tag:])
		if size < 0 {
			return errProto
		}
		value := message[tag : tag+size]
		message = message[tag+size:]
		switch kind {
		case protowire.VarintType:
			plain, _ := protowire.ConsumeVarint(value)
			fn(number, plain, nil)
		case protowire.BytesType:
			plain, _ := protowire.ConsumeBytes(value)
			fn(number, 0, plain)
		}
	}
	return nil
}

// discard skips bytes; a length that no file has is an error when they are not there.
func discard(r *bufio.Reader, length uint64) error {
	if length > maxUnpacked {
		return io.ErrUnexpectedEOF
	}
	_, err := io.CopyN(io.Discard, r, int64(length))
	return err
}
