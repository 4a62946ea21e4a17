package inventory

import (
	"bytes"
	"errors"
	"fmt"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/mollyguard/mollyguard/operation"
)

// maxFeedMessage is what a Pub/Sub message may have
// (https://cloud.google.com/pubsub/quotas#resource_limits).
const maxFeedMessage = 10 << 20

// temporalAsset is a message of the feed
// (https://cloud.google.com/asset-inventory/docs/monitor-asset-changes), a TemporalAsset in
// JSON (https://cloud.google.com/asset-inventory/docs/reference/rest/v1/TopLevel/batchGetAssetsHistory#temporalasset).
type temporalAsset struct {
	Asset      *feedAsset `json:"asset"`
	PriorAsset *feedAsset `json:"priorAsset"`
	Deleted    bool       `json:"deleted"`
	Window     struct {
		StartTime string `json:"startTime"`
	} `json:"window"`
}

type feedAsset struct {
	Name       string   `json:"name"`
	AssetType  string   `json:"assetType"`
	Ancestors  []string `json:"ancestors"`
	UpdateTime string   `json:"updateTime"`
	Resource   *struct {
		Data resourceData `json:"data"`
	} `json:"resource"`
}

// welcome begins the first message of a feed, which is a sentence.
const welcome = "You have successfully configured real time feed"

// decodeFeed reads a message of the feed as what it says of one asset: what the asset
// was like before, if it says that, and what it is like now. There is nothing to the
// sentence by which a feed begins.
func decodeFeed(data []byte) ([]observation, error) {
	if len(data) > maxFeedMessage {
		return nil, fmt.Errorf("%d bytes, %d are the limit", len(data), maxFeedMessage)
	}
	if bytes.HasPrefix(bytes.TrimLeft(data, "\" \n"), []byte(welcome)) {
		return nil, nil
	}
	var m temporalAsset
	// Names that come twice are taken as protobuf's JSON takes them: the last one counts.
	if err := json.Unmarshal(data, &m, jsontext.AllowDuplicateNames(true), jsontext.AllowInvalidUTF8(true)); err != nil {
		return nil, clipError(err)
	}
	if m.Asset == nil || m.Asset.Name == "" || m.Asset.AssetType == "" {
		return nil, errors.New("no asset in it, or none with a name and a type")
	}
	start, err := parseTime(m.Window.StartTime)
	if err != nil {
		return nil, fmt.Errorf("window: %w", err)
	}
	now, err := m.Asset.observe(start, m.Deleted)
	if err != nil {
		return nil, err
	}
	list := []observation{now}
	// A former asset without a time or content says nothing that counts.
	if p := m.PriorAsset; p != nil && p.Name == m.Asset.Name && p.AssetType == m.Asset.AssetType && p.Resource != nil && p.UpdateTime != "" {
		before, err := p.observe(time.Time{}, false)
		if err != nil {
			return nil, fmt.Errorf("prior asset: %w", err)
		}
		if before.state.From < now.state.From {
			list = []observation{before, now}
		}
	}
	return list, nil
}

// observe reads an asset. start is when it began to be so, if it does not say.
func (a *feedAsset) observe(start time.Time, isGone bool) (o observation, err error) {
	if RefOf(a.Name, a.AssetType, "") == "" || len(a.Name) > maxName || len(a.AssetType) > maxName {
		return o, fmt.Errorf("asset name %q is not //SERVICE/PATH", clip(a.Name))
	}
	at, err := parseTime(a.UpdateTime)
	if err != nil {
		return o, err
	}
	if at.IsZero() || isGone && start.After(at) {
		at = start
	}
	if at.IsZero() {
		return o, errors.New("neither a time of update nor a window")
	}
	o = observation{name: a.Name, kind: a.AssetType, state: state{From: micros(at), To: micros(at)}}
	if o.number, o.ancestors, err = splitAncestors(a.Ancestors); err != nil {
		return o, err
	}
	if isGone {
		o.state.Gone = deleted
	} else if a.Resource == nil {
		return o, errors.New("no resource in it: create the feed with --content-type=resource")
	}
	if a.Resource == nil {
		return o, nil
	}
	data := &a.Resource.Data
	o.name = ownName(a.Name, a.AssetType, string(data.Name))
	if a.AssetType == typeProject {
		o.id = validProject(string(data.ProjectID))
		if o.number == "" {
			o.number = string(data.ProjectNumber)
		}
	}
	if !isGone {
		o.state.Labels, err = data.labelsOf(a.AssetType)
	}
	return o, err
}

// maxName is how long an asset's name may be: 1500 bytes and some
// (https://cloud.google.com/apis/design/resource_names).
const maxName = 2 << 10

// maxShown is how much of a text from outside is shown in an error.
const maxShown = 200

func clip(text string) string {
	if len(text) > maxShown {
		text = text[:maxShown] + "…"
	}
	return operation.Printable(text)
}

// clipError keeps what a decoder quotes from flooding a log.
func clipError(err error) error { return errors.New(clip(err.Error())) }
