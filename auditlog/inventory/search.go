package inventory

import (
	"context"
	"errors"
	"fmt"
	"hash/maphash"
	"slices"
	"strings"
	"time"

	asset "cloud.google.com/go/asset/apiv1"
	"cloud.google.com/go/asset/apiv1/assetpb"
	"google.golang.org/api/iterator"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/fieldmaskpb"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/mollyguard/mollyguard/ledger"
)

const (
	// searchesPerSecond is three quarters of the quota of 400 a minute and project
	// (https://cloud.google.com/asset-inventory/docs/quota), for we are not alone.
	searchesPerSecond = 5
	searchBurst       = 50
	// searchTimeout is how long a page may take; the API's own limit is 30 seconds.
	searchTimeout = time.Minute
)

// readMask is what a search result has to have.
func readMask() *fieldmaskpb.FieldMask {
	return &fieldmaskpb.FieldMask{Paths: []string{
		"name", "assetType", "project", "folders", "organization", "displayName", "labels",
		"tags", "effectiveTags", "createTime", "updateTime", "additionalAttributes",
	}}
}

// refresh is one search of everything.
type refresh struct {
	place
	// saw has what was found, by a hash of its key: 16 bytes for each of 500,000. A hash
	// that two share keeps something that is gone from being seen as gone.
	saw  map[uint64]struct{}
	seed maphash.Seed
	// whole says that saw goes back to the start.
	whole bool
}

// Refresh searches everything once, goes on where a search was interrupted less than an
// hour ago, and returns the first error. What was found until then is kept. It must be
// called one at a time; others wait.
func (i *Inventory) Refresh(ctx context.Context) error {
	if i.client == nil {
		return errors.New("inventory: no scope to search")
	}
	i.refreshing.Lock()
	defer i.refreshing.Unlock()
	r, err := i.resume(ctx)
	if err != nil {
		return err
	}
	for r.Step < len(i.o.Scopes)*2 {
		scope, types := i.step(r.Step)
		if err := i.search(ctx, r, scope, types); err != nil {
			return fmt.Errorf("search %s: %w", scope, err)
		}
		r.Step, r.Token = r.Step+1, ""
	}
	if r.whole {
		if err := i.sweep(ctx, r); err != nil {
			return err
		}
	}
	err = i.o.Ledger.Update(ctx, func(tx *ledger.Tx) error {
		return errors.Join(writeSeeded(tx, r.Started), tx.Delete(ledger.TableAssets, keyResume))
	})
	if err != nil {
		return err
	}
	i.running = nil
	i.seeded.Store(r.Started)
	return nil
}

// step is one of the searches: of all scopes what everything is in, so that projects'
// numbers are known, and then the rest.
func (i *Inventory) step(n int) (scope string, types []string) {
	scope = i.o.Scopes[n%len(i.o.Scopes)]
	if n < len(i.o.Scopes) {
		return scope, hierarchyTypes()
	}
	return scope, slices.DeleteFunc(i.wanted(), func(t string) bool { return slices.Contains(hierarchyTypes(), t) })
}

// search goes through all pages of one search.
func (i *Inventory) search(ctx context.Context, r *refresh, scope string, types []string) error {
	types = slices.DeleteFunc(slices.Clone(types), func(t string) bool { return i.rejected[t] })
	for len(types) > 0 {
		next, err := i.searchPage(ctx, r, scope, types)
		switch {
		case status.Code(err) == codes.InvalidArgument && r.Token != "":
			r.Token = "" // it is too old, or the scope changed: begin again
		case status.Code(err) == codes.InvalidArgument && len(types) > 1 && !aboutScope(err):
			return i.searchHalves(ctx, r, scope, types)
		case status.Code(err) == codes.InvalidArgument && !aboutScope(err) && len(i.rejected) < len(i.types)/2:
			i.rejected[types[0]] = true
			i.o.Log.Warn("cloud asset inventory does not know an asset type", "type", types[0])
			return nil
		case err != nil:
			return err
		case next == "":
			return nil
		default:
			r.Token = next
		}
	}
	return nil
}

// searchHalves finds the asset type that the API does not know: one is enough for it to
// refuse all.
func (i *Inventory) searchHalves(ctx context.Context, r *refresh, scope string, types []string) error {
	half := len(types) / 2
	for _, part := range [][]string{types[:half], types[half:]} {
		r.Token = ""
		if err := i.search(ctx, r, scope, part); err != nil {
			r.Token = "" // the place of a half is not one of the whole
			return err
		}
	}
	r.Token = ""
	return nil
}

// aboutScope reports whether an answer is about the scope, and not the types.
func aboutScope(err error) bool {
	return strings.Contains(strings.ToLower(status.Convert(err).Message()), "scope")
}

// searchPage fetches a page, keeps it with the place where to go on, and returns that.
func (i *Inventory) searchPage(ctx context.Context, r *refresh, scope string, types []string) (next string, err error) {
	if err := i.pace.Wait(ctx); err != nil {
		return "", err
	}
	began := i.o.Now()
	callCtx, cancel := context.WithTimeout(ctx, searchTimeout)
	defer cancel()
	results := i.client.SearchAllResources(callCtx, &assetpb.SearchAllResourcesRequest{
		Scope: scope, AssetTypes: types, PageSize: batch, PageToken: r.Token, ReadMask: readMask(),
	})
	page, err := onePage(results)
	if err != nil {
		return "", err
	}
	next = results.PageInfo().Token
	list := make([]observation, 0, len(page))
	for _, result := range page {
		o, err := fromSearch(result).observe()
		if err != nil {
			i.o.Log.Warn("an asset of a search cannot be read", "error", err)
			continue
		}
		o.searched = began
		list = append(list, o)
	}
	here := r.place
	here.Token = next
	if next == "" {
		here.Step++
	}
	keys, err := i.write(ctx, list, func(tx *ledger.Tx) error { return here.write(tx) })
	if err != nil {
		return "", err
	}
	for _, key := range keys {
		r.saw[maphash.String(r.seed, key)] = struct{}{}
	}
	return next, nil
}

// onePage returns what one call brings. A Pager would make calls until the page is full.
func onePage(results *asset.ResourceSearchResultIterator) ([]*assetpb.ResourceSearchResult, error) {
	var page []*assetpb.ResourceSearchResult
	for len(page) == 0 || results.PageInfo().Remaining() > 0 {
		result, err := results.Next()
		if errors.Is(err, iterator.Done) {
			break
		}
		if err != nil {
			return nil, err
		}
		page = append(page, result)
	}
	return page, nil
}

func fromSearch(r *assetpb.ResourceSearchResult) *searchResult {
	s := &searchResult{
		Name: r.GetName(), AssetType: r.GetAssetType(), Project: r.GetProject(), Folders: r.GetFolders(), Organization: r.GetOrganization(),
		DisplayName: r.GetDisplayName(), Labels: r.GetLabels(), CreateTime: rfc3339(r.GetCreateTime()), UpdateTime: rfc3339(r.GetUpdateTime()),
	}
	s.AdditionalAttributes.ProjectID = text(r.GetAdditionalAttributes().GetFields()["projectId"].GetStringValue())
	for _, tag := range r.GetTags() {
		s.Tags = append(s.Tags, fileTag{tag.GetTagKey(), tag.GetTagValue()})
	}
	for _, group := range r.GetEffectiveTags() {
		var tags []fileTag
		for _, tag := range group.GetEffectiveTags() {
			tags = append(tags, fileTag{tag.GetTagKey(), tag.GetTagValue()})
		}
		s.EffectiveTags = append(s.EffectiveTags, effectiveTags{tags})
	}
	return s
}

func rfc3339(t *timestamppb.Timestamp) string {
	if t == nil {
		return ""
	}
	return t.AsTime().Format(time.RFC3339Nano)
}
