package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"slices"

	"github.com/mollyguard/mollyguard/auditlog"
	"github.com/mollyguard/mollyguard/auditlog/file"
)

// canRead finds what is not there before anything is judged: the report comes at the
// end.
func canRead(files []string) error {
	var errs []error
	for _, path := range files {
		if path == "-" {
			continue
		}
		info, err := os.Stat(path)
		if err == nil && info.IsDir() {
			err = fmt.Errorf("%s is a folder: name the files in it", path)
		}
		errs = append(errs, err)
	}
	return errors.Join(errs...)
}

func replaySources(s streams, files []string) ([]*file.Source, error) {
	var sources []*file.Source
	for _, path := range files {
		o := file.Options{Path: path}
		if path == "-" {
			o = file.Options{Reader: s.in}
		}
		source, err := file.New(o)
		if err != nil {
			return nil, err
		}
		sources = append(sources, source)
	}
	return sources, nil
}

// oneAfterTheOther reads sources in their order, and the ends of operations after all
// else: gcloud prints the newest first, so that an end comes before its start.
type oneAfterTheOther struct {
	sources []*file.Source
	files   []string
	tally   *tally
	// isEnd reports whether an entry is the end of an operation.
	isEnd func(data []byte) bool
}

// maxHeld is how many ends are held back: at 4 KiB, which is a large one, 400 MiB. Those
// that come after are judged as they come.
const maxHeld = 100_000

// Name implements auditlog.Source.
func (oneAfterTheOther) Name() string { return "replay" }

// Run implements auditlog.Source.
func (o oneAfterTheOther) Run(ctx context.Context, _ string, hand auditlog.Hand, report auditlog.Report) error {
	var held []auditlog.Message
	for i, source := range o.sources {
		name := o.files[i]
		if name == "-" {
			name = "standard input"
		}
		o.tally.opens(name)
		err := source.Run(ctx, "", func(ctx context.Context, m auditlog.Message) error {
			for _, data := range unpack(m.Data) {
				o.tally.reads()
				m := auditlog.Message{Data: data, Received: m.Received}
				if len(held) < maxHeld && o.isEnd(data) {
					held = append(held, m)
				} else if err := hand(ctx, m); err != nil {
					return err
				}
			}
			return nil
		}, report)
		if err != nil {
			return err
		}
		o.tally.blank = o.tally.blank && source.Blank()
	}
	for _, m := range held {
		if err := hand(ctx, m); err != nil {
			return err
		}
	}
	return nil
}

// isEnd reports whether an entry says how an operation ended.
func isEnd(mapper auditlog.Mapper) func(data []byte) bool {
	return func(data []byte) bool {
		if !bytes.Contains(data, []byte(`"last"`)) || !mapper.Cares(data) {
			return false
		}
		r, err := mapper.Map(data)
		return err == nil && r.LongRunning.ID != "" && r.LongRunning.Last
	}
}

// unpack takes a list of Kubernetes audit events apart, as API servers send them to a
// webhook (https://kubernetes.io/docs/reference/config-api/apiserver-audit.v1/#audit-k8s-io-v1-EventList).
func unpack(data []byte) [][]byte {
	if !bytes.Contains(data, []byte("EventList")) {
		return [][]byte{data}
	}
	var list struct {
		APIVersion string            `json:"apiVersion"`
		Kind       string            `json:"kind"`
		Items      []json.RawMessage `json:"items"`
	}
	if err := json.Unmarshal(data, &list); err != nil || list.Kind != "EventList" || len(list.Items) == 0 {
		return [][]byte{data} // whoever reads it says what is wrong
	}
	items := make([][]byte, len(list.Items))
	for i, item := range list.Items {
		items[i] = asEvent(item, list.APIVersion)
	}
	return items
}

// asEvent gives an item of a list the version that it has, and only the list says.
func asEvent(item []byte, version string) []byte {
	var own struct {
		APIVersion string `json:"apiVersion"`
	}
	if err := json.Unmarshal(item, &own); err != nil || own.APIVersion != "" || len(item) < len(`{"":0}`) {
		return item
	}
	quoted, _ := json.Marshal(version) // a text can be written
	return slices.Concat([]byte(`{"apiVersion":`), quoted, []byte(","), item[1:])
}
