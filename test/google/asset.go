package google

import (
	"context"
	"fmt"
	"net"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"cloud.google.com/go/asset/apiv1/assetpb"
	"google.golang.org/api/option"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
)

// maxAssetPage is SearchAllResourcesRequest.page_size's limit.
const maxAssetPage = 500

// Asset is a fake of Cloud Asset Inventory's AssetService
// (https://cloud.google.com/asset-inventory/docs/reference/rpc/google.cloud.asset.v1):
// it searches what it was given, by scope and asset type, and tells its history. Faults
// are scripted. Its methods may be called concurrently.
type Asset struct {
	assetpb.UnimplementedAssetServiceServer

	server *grpc.Server
	addr   string
	stop   chan struct{}

	lock      sync.Mutex
	resources []*assetpb.ResourceSearchResult
	history   map[string][]*assetpb.TemporalAsset
	page      int
	unknown   map[string]bool
	search    assetFault
	histories assetFault
	calls     AssetCalls
}

// AssetCalls are the calls that came.
type AssetCalls struct {
	Search, History int
	// HistoryRequests are the questions to the history, in order.
	HistoryRequests []*assetpb.BatchGetAssetsHistoryRequest
}

// assetFault is what goes wrong, after some calls that do not.
type assetFault struct {
	after int
	err   error
	hang  bool
}

// StartAsset starts a fake Cloud Asset Inventory on a free port.
func StartAsset() (*Asset, error) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	a := &Asset{
		server: grpc.NewServer(), addr: listener.Addr().String(), stop: make(chan struct{}), page: maxAssetPage,
		history: map[string][]*assetpb.TemporalAsset{}, unknown: map[string]bool{},
	}
	assetpb.RegisterAssetServiceServer(a.server, a)
	// Serve ends with an error of no interest when Close stops it.
	go func() { _ = a.server.Serve(listener) }()
	return a, nil
}

// Close stops the fake, and breaks off calls under way. It may be called once.
func (a *Asset) Close() {
	close(a.stop)
	a.server.Stop()
}

// Endpoint is HOST:PORT.
func (a *Asset) Endpoint() string { return a.addr }

// ClientOptions lead a client of Google's here, without credentials.
func (a *Asset) ClientOptions() []option.ClientOption {
	return []option.ClientOption{
		option.WithEndpoint(a.addr), option.WithoutAuthentication(),
		option.WithGRPCDialOption(grpc.WithTransportCredentials(insecure.NewCredentials())),
	}
}

// Set replaces what a search finds. A resource is in a scope if its project, folders or
// organization is, or if the scope's project id is in its name.
func (a *Asset) Set(resources ...*assetpb.ResourceSearchResult) {
	a.lock.Lock()
	defer a.lock.Unlock()
	a.resources = nil
	for _, r := range resources {
		a.resources = append(a.resources, proto.CloneOf(r))
	}
}

// SetHistory replaces the history of an asset.
func (a *Asset) SetHistory(name string, history ...*assetpb.TemporalAsset) {
	a.lock.Lock()
	defer a.lock.Unlock()
	a.history[name] = history
}

// PageSize makes pages smaller than what is asked for, as the real one may.
func (a *Asset) PageSize(n int) {
	a.lock.Lock()
	defer a.lock.Unlock()
	a.page = n
}

// RejectType makes searches fail that name an asset type, as those do that name one that
// does not exist.
func (a *Asset) RejectType(kind string) {
	a.lock.Lock()
	defer a.lock.Unlock()
	a.unknown[kind] = true
}

// FailSearch makes searches fail after some pages from now on that do not; nil mends
// that.
func (a *Asset) FailSearch(afterPages int, err error) {
	a.lock.Lock()
	defer a.lock.Unlock()
	a.search = assetFault{after: afterPages, err: err}
}

// HangSearch lets searches wait until the caller gives up.
func (a *Asset) HangSearch() {
	a.lock.Lock()
	defer a.lock.Unlock()
	a.search = assetFault{hang: true}
}

// FailHistory makes questions to the history fail; nil mends that.
func (a *Asset) FailHistory(err error) {
	a.lock.Lock()
	defer a.lock.Unlock()
	a.histories = assetFault{err: err}
}

// HangHistory lets questions to the history wait until the caller gives up.
func (a *Asset) HangHistory() {
	a.lock.Lock()
	defer a.lock.Unlock()
	a.histories = assetFault{hang: true}
}

// Calls returns the calls that came until now.
func (a *Asset) Calls() AssetCalls {
	a.lock.Lock()
	defer a.lock.Unlock()
	calls := a.calls
	calls.HistoryRequests = slices.Clone(calls.HistoryRequests)
	return calls
}

// strike does what goes wrong.
func (a *Asset) strike(ctx context.Context, f *assetFault) error {
	a.lock.Lock()
	fault := *f
	f.after = max(f.after-1, 0)
	a.lock.Unlock()
	switch {
	case fault.after > 0:
	case fault.hang:
		select {
		case <-ctx.Done():
		case <-a.stop:
		}
		return status.FromContextError(context.DeadlineExceeded).Err()
	case fault.err != nil:
		return fault.err
	}
	return nil
}

// SearchAllResources implements assetpb.AssetServiceServer.
func (a *Asset) SearchAllResources(ctx context.Context, request *assetpb.SearchAllResourcesRequest) (*assetpb.SearchAllResourcesResponse, error) {
	a.lock.Lock()
	a.calls.Search++
	a.lock.Unlock()
	if err := a.strike(ctx, &a.search); err != nil {
		return nil, err
	}
	a.lock.Lock()
	defer a.lock.Unlock()
	for _, kind := range request.GetAssetTypes() {
		if a.unknown[kind] {
			return nil, status.Errorf(codes.InvalidArgument, "Invalid asset type(s): %s", kind)
		}
	}
	var found []*assetpb.ResourceSearchResult
	for _, r := range a.resources {
		if inScope(r, request.GetScope()) && (len(request.GetAssetTypes()) == 0 || slices.Contains(request.GetAssetTypes(), r.GetAssetType())) {
			found = append(found, r)
		}
	}
	start, err := assetPlace(request)
	if err != nil {
		return nil, err
	}
	size := min(maxAssetPage, a.page)
	if n := int(request.GetPageSize()); n > 0 {
		size = min(size, n)
	}
	start = min(start, len(found))
	end := min(start+size, len(found))
	response := &assetpb.SearchAllResourcesResponse{Results: found[start:end]}
	if end < len(found) {
		response.NextPageToken = fmt.Sprintf("%s %s %d", request.GetScope(), strings.Join(request.GetAssetTypes(), ","), end)
	}
	return response, nil
}

// assetPlace reads a page token, which is good for the same request only.
func assetPlace(request *assetpb.SearchAllResourcesRequest) (int, error) {
	token := request.GetPageToken()
	if token == "" {
		return 0, nil
	}
	text, ok := strings.CutPrefix(token, request.GetScope()+" "+strings.Join(request.GetAssetTypes(), ",")+" ")
	n, err := strconv.Atoi(text)
	if !ok || err != nil {
		return 0, status.Error(codes.InvalidArgument, "invalid page token")
	}
	return n, nil
}

func inScope(r *assetpb.ResourceSearchResult, scope string) bool {
	return r.GetProject() == scope || r.GetOrganization() == scope || slices.Contains(r.GetFolders(), scope) ||
		strings.Contains(r.GetName()+"/", "/"+scope+"/")
}

// BatchGetAssetsHistory implements assetpb.AssetServiceServer. What is not known is an
// invalid argument, as the real one has it.
func (a *Asset) BatchGetAssetsHistory(ctx context.Context, request *assetpb.BatchGetAssetsHistoryRequest) (*assetpb.BatchGetAssetsHistoryResponse, error) {
	a.lock.Lock()
	a.calls.History++
	a.calls.HistoryRequests = append(a.calls.HistoryRequests, proto.CloneOf(request))
	a.lock.Unlock()
	if err := a.strike(ctx, &a.histories); err != nil {
		return nil, err
	}
	a.lock.Lock()
	defer a.lock.Unlock()
	response := &assetpb.BatchGetAssetsHistoryResponse{}
	for _, name := range request.GetAssetNames() {
		history, known := a.history[name]
		if !known {
			return nil, status.Errorf(codes.InvalidArgument, "asset %s does not exist", name)
		}
		for _, t := range history {
			if overlaps(t.GetWindow(), request.GetReadTimeWindow()) {
				response.Assets = append(response.Assets, proto.CloneOf(t))
			}
		}
	}
	return response, nil
}

// overlaps takes a missing end as one that has not come.
func overlaps(a, b *assetpb.TimeWindow) bool {
	before := func(x, y *assetpb.TimeWindow) bool { // x begins before y ends
		return y.GetEndTime() == nil || timeOf(x).Before(y.GetEndTime().AsTime())
	}
	return before(a, b) && before(b, a)
}

func timeOf(w *assetpb.TimeWindow) time.Time {
	if w.GetStartTime() == nil {
		return time.Time{}
	}
	return w.GetStartTime().AsTime()
}
