package inventory

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"strings"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

// maxFile is how large a file of assets may be: MaxAssets of 4 KiB each, as gcloud
// prints them.
const maxFile = MaxAssets * 4 << 10

// FromFile returns an Inventory of what a file has, and of nothing else: assets as
// gcloud asset search-all-resources --format=json prints them, an array, or one object
// after the other. It needs no Run, and is always ready. An error says which asset
// cannot be read.
//
// The file says how things are now. Asked about a time before an asset was last updated
// Find gives it as it is, unless it was made later.
func FromFile(path string) (*Inventory, error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("assets: %w", err)
	}
	defer func() { _ = file.Close() }() // it was only read
	i, err := fromReader(file, MaxAssets, maxFile)
	if err != nil {
		return nil, fmt.Errorf("assets in %s: %w", path, err)
	}
	return i, nil
}

// searchResult is a ResourceSearchResult in JSON
// (https://cloud.google.com/asset-inventory/docs/reference/rest/v1/TopLevel/searchAllResources#resourcesearchresult).
type searchResult struct {
	Name                 string          `json:"name"`
	AssetType            string          `json:"assetType"`
	Project              string          `json:"project"`
	Folders              []string        `json:"folders"`
	Organization         string          `json:"organization"`
	DisplayName          string          `json:"displayName"`
	Labels               labelSet        `json:"labels"`
	Tags                 []fileTag       `json:"tags"`
	EffectiveTags        []effectiveTags `json:"effectiveTags"`
	CreateTime           string          `json:"createTime"`
	UpdateTime           string          `json:"updateTime"`
	AdditionalAttributes struct {
		ProjectID text `json:"projectId"`
	} `json:"additionalAttributes"`
}

type effectiveTags struct {
	EffectiveTags []fileTag `json:"effectiveTags"`
}

type fileTag struct {
	TagKey   string `json:"tagKey"`
	TagValue string `json:"tagValue"`
}

func fromReader(r io.Reader, maxAssets int, maxBytes int64) (*Inventory, error) {
	limited := &io.LimitedReader{R: r, N: maxBytes + 1}
	d := jsontext.NewDecoder(bufio.NewReaderSize(limited, 1<<16), jsontext.AllowDuplicateNames(true), jsontext.AllowInvalidUTF8(true))
	i := &Inventory{static: map[string][]byte{}}
	i.o.Now, i.o.Log = time.Now, slog.New(slog.DiscardHandler)
	numbers := map[string]string{}
	for count := 1; ; count++ {
		switch kind := d.PeekKind(); {
		case limited.N <= 0:
			return nil, fmt.Errorf("more than %d bytes", maxBytes)
		case (kind == '[' || kind == ']') && d.StackDepth() <= 1:
			count--
			if _, err := d.ReadToken(); err != nil {
				return nil, clipError(err)
			}
			continue
		case count > maxAssets && kind == '{':
			return nil, fmt.Errorf("more than %d assets", maxAssets)
		}
		var s searchResult
		err := json.UnmarshalDecode(d, &s)
		if errors.Is(err, io.EOF) && d.StackDepth() == 0 {
			return i, nil
		}
		if err == nil {
			err = i.keep(s, numbers)
		}
		if err != nil {
			return nil, fmt.Errorf("asset %d: %w", count, clipError(err))
		}
	}
}

// keep adds an asset. A project that comes after what is in it is found by its number.
func (i *Inventory) keep(s searchResult, numbers map[string]string) error {
	o, err := s.observe()
	if err != nil {
		return err
	}
	id := o.id
	if id == "" {
		id = numbers[o.number]
	}
	if o.kind == typeProject {
		if id == "" {
			id = projectOf(strings.TrimPrefix(o.name, "//"+resourceManager+"/"))
		}
		if isNumber(o.number) && !isNumber(id) {
			numbers[o.number] = id
			i.static[prefixNumber+o.number] = []byte(id)
		}
	}
	r := record{Kind: o.kind, Project: id, Ancestors: o.ancestors, Created: micros(o.created), States: []state{o.state}}
	if id == "" {
		r.Project = o.number
	}
	if o.kind == typeProject {
		r.Number = o.number
	}
	text, err := r.encode()
	if err != nil {
		return err
	}
	i.static[prefixAsset+strings.TrimPrefix(RefOf(o.name, o.kind, id), "gcp://")] = text
	return nil
}

// observe reads what a file says of an asset.
func (s *searchResult) observe() (o observation, err error) {
	if RefOf(s.Name, s.AssetType, "") == "" || len(s.Name) > maxName || s.AssetType == "" {
		return o, fmt.Errorf("asset name %q is not //SERVICE/PATH, or it has no type", clip(s.Name))
	}
	o = observation{name: ownName(s.Name, s.AssetType, s.DisplayName), kind: s.AssetType, id: s.projectID()}
	ancestors := s.Folders
	for _, other := range []string{s.Project, s.Organization} {
		if other != "" {
			ancestors = append(ancestors[:len(ancestors):len(ancestors)], other)
		}
	}
	if o.number, o.ancestors, err = splitAncestors(ancestors); err != nil {
		return o, err
	}
	created, err := parseTime(s.CreateTime)
	if err != nil {
		return o, err
	}
	updated, err := parseTime(s.UpdateTime)
	if err != nil {
		return o, err
	}
	tags := labelSet{}
	for _, group := range s.EffectiveTags {
		for _, tag := range group.EffectiveTags {
			tags[shortTag(tag.TagKey)] = shortTag(tag.TagValue)
		}
	}
	for _, tag := range s.Tags {
		tags[shortTag(tag.TagKey)] = shortTag(tag.TagValue)
	}
	o.created = created
	o.state = state{From: micros(updated), To: micros(updated), Labels: s.Labels, Tags: tags}
	return o, errors.Join(s.Labels.check(), tags.check())
}

// projectID is the id that a project says it has; its name may have the number.
func (s *searchResult) projectID() string {
	if s.AssetType != typeProject {
		return ""
	}
	return validProject(string(s.AdditionalAttributes.ProjectID))
}
