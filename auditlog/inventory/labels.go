package inventory

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

const (
	// maxLabels is how many labels or tags are read of a resource: 64 labels are what
	// Google Cloud allows, and 50 tags with those that are inherited
	// (https://cloud.google.com/resource-manager/docs/labels-overview), four times that.
	maxLabels = 256
	// maxLabel is how long a key or value may be: 63 characters of up to 4 bytes for a
	// label, 256 for the short name of a tag, and a domain before it.
	maxLabel = 1 << 10
	// maxAncestors is how many folders an asset is in: folders nest 10 deep, and there is
	// the project and the organization.
	maxAncestors = 32
)

// labelSet is an object of texts. What is something else is no label: resources of some
// services have a field of the same name.
type labelSet map[string]string

// UnmarshalJSONFrom implements json.UnmarshalerFrom.
func (l *labelSet) UnmarshalJSONFrom(d *jsontext.Decoder) error {
	if d.PeekKind() != '{' {
		return d.SkipValue()
	}
	if _, err := d.ReadToken(); err != nil {
		return err
	}
	set := labelSet{}
	for d.PeekKind() != '}' {
		key, err := d.ReadToken()
		if err != nil {
			return err
		}
		name := key.String()
		if d.PeekKind() != '"' {
			if err := d.SkipValue(); err != nil {
				return err
			}
			continue
		}
		value, err := d.ReadToken()
		if err != nil {
			return err
		}
		set[name] = value.String()
	}
	*l = set
	_, err := d.ReadToken()
	return err
}

// check holds labels against what there can be.
func (l labelSet) check() error {
	if len(l) > maxLabels {
		return fmt.Errorf("%d labels or tags, %d are the limit", len(l), maxLabels)
	}
	for key, value := range l {
		if len(key) > maxLabel || len(value) > maxLabel {
			return fmt.Errorf("a label or tag of %d bytes, %d are the limit", max(len(key), len(value)), maxLabel)
		}
	}
	return nil
}

// resourceData is where a resource has its labels, in the representation of its own API.
type resourceData struct {
	Labels         labelSet `json:"labels"`
	ResourceLabels labelSet `json:"resourceLabels"` // GKE clusters
	UserLabels     labelSet `json:"userLabels"`
	Settings       nested   `json:"settings"` // Cloud SQL
	Metadata       nested   `json:"metadata"` // Cloud Run, as Knative has it
	Config         nested   `json:"config"`   // GKE node pools
	ProjectID      text     `json:"projectId"`
	ProjectNumber  text     `json:"projectNumber"`
	Name           text     `json:"name"`
}

// nested is an object with labels, or something else that has none.
type nested struct {
	Labels         labelSet `json:"labels"`
	ResourceLabels labelSet `json:"resourceLabels"`
	UserLabels     labelSet `json:"userLabels"`
}

// UnmarshalJSONFrom implements json.UnmarshalerFrom.
func (n *nested) UnmarshalJSONFrom(d *jsontext.Decoder) error {
	if d.PeekKind() != '{' {
		return d.SkipValue()
	}
	type plain nested
	return json.UnmarshalDecode(d, (*plain)(n))
}

// text is a text or a number, or empty if it is something else.
type text string

// UnmarshalJSONFrom implements json.UnmarshalerFrom.
func (t *text) UnmarshalJSONFrom(d *jsontext.Decoder) error {
	if kind := d.PeekKind(); kind != '"' && kind != '0' {
		return d.SkipValue()
	}
	token, err := d.ReadToken()
	*t = text(token.String())
	return err
}

// labelsOf returns the labels of a resource of a type.
func (r *resourceData) labelsOf(kind string) (map[string]string, error) {
	labels := r.Labels
	switch kind {
	case "container.googleapis.com/Cluster":
		labels = r.ResourceLabels
	case "container.googleapis.com/NodePool":
		labels = r.Config.ResourceLabels // config.labels are for Kubernetes
	case "sqladmin.googleapis.com/Instance":
		labels = r.Settings.UserLabels
	default:
		for _, other := range []labelSet{r.UserLabels, r.Metadata.Labels} {
			if len(labels) == 0 {
				labels = other
			}
		}
	}
	return labels, labels.check()
}

// ownName is an asset's name with the name that entries have, for types where assets have
// a number instead: //dns.googleapis.com/projects/P/managedZones/NUMBER.
func ownName(asset, kind, name string) string {
	i := strings.LastIndexByte(asset, '/')
	if !strings.HasPrefix(kind, "dns.googleapis.com/") || i < 0 || !isNumber(asset[i+1:]) || name == "" || strings.Contains(name, "/") {
		return asset
	}
	return asset[:i+1] + name
}

// splitAncestors tells the project's number from what it is in.
func splitAncestors(list []string) (number string, rest []string, err error) {
	if len(list) > maxAncestors {
		return "", nil, fmt.Errorf("%d ancestors, %d are the limit", len(list), maxAncestors)
	}
	for _, name := range list {
		kind, id, _ := strings.Cut(name, "/")
		switch {
		case !isContainer(kind) || id == "" || len(id) > maxLabel:
			return "", nil, errors.New("an ancestor that is no project, folder or organization")
		case kind == "projects":
			number = id
		default:
			rest = append(rest, name)
		}
	}
	return number, rest, nil
}

// shortTag is the short name at the end of a namespaced one: PARENT/KEY, PARENT/KEY/VALUE
// (https://cloud.google.com/resource-manager/docs/tags/tags-overview).
func shortTag(name string) string { return name[strings.LastIndexByte(name, '/')+1:] }

// parseTime reads a time, or none.
func parseTime(text string) (time.Time, error) {
	if text == "" {
		return time.Time{}, nil
	}
	t, err := time.Parse(time.RFC3339Nano, text)
	if err == nil && (t.Year() < 1970 || t.Year() > 9999) {
		err = fmt.Errorf("time %q: not of this age", text)
	}
	return t, err
}
