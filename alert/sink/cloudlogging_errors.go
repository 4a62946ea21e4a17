package sink

import (
	"context"
	"errors"
	"fmt"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/mollyguard/mollyguard/alert"
)

// googleError turns an error of Google's client into what alert.Sink wants. A permission
// that is missing can be granted, so only what was said wrongly is refused for good.
func googleError(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return fmt.Errorf("no answer in time: %w", ctx.Err())
	}
	said := status.Convert(err)
	reason := said.Code().String() + ": " + scrubber{}.clean(said.Message())
	switch said.Code() {
	case codes.InvalidArgument, codes.NotFound, codes.OutOfRange, codes.Unimplemented:
		return &alert.Rejected{Reason: reason}
	case codes.PermissionDenied:
		return errors.New(reason + ": grant roles/logging.logWriter")
	}
	for _, detail := range said.Details() {
		if retry, ok := detail.(*errdetails.RetryInfo); ok && retry.GetRetryDelay() != nil {
			return &alert.Later{Reason: reason, After: min(max(retry.GetRetryDelay().AsDuration(), 0), maxLater)}
		}
	}
	return errors.New(reason)
}
