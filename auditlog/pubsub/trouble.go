package pubsub

import (
	"errors"
	"fmt"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/mollyguard/mollyguard/alert"
	"github.com/mollyguard/mollyguard/operation"
)

// credentialsError says that there is no client, which without a network connection
// is for want of credentials.
type credentialsError struct{ cause error }

func (e *credentialsError) Error() string { return fmt.Sprintf("connect to Pub/Sub: %v", e.cause) }

func (e *credentialsError) Unwrap() error { return e.cause }

// trouble says what an error means, and what to do.
func (s *Source) trouble(err error) alert.Trouble {
	t := alert.Trouble{Source: s.Name()}
	said := operation.Printable(status.Convert(err).Message())
	if credentials, ok := errors.AsType[*credentialsError](err); ok {
		t.Kind = alert.Forbidden
		t.Text = fmt.Sprintf("%s cannot be read: there are no credentials: %s: set up Workload Identity, or run gcloud auth application-default login",
			s.name, operation.Printable(credentials.cause.Error()))
		return t
	}
	switch status.Code(err) {
	case codes.NotFound:
		t.Kind = alert.Missing
		t.Text = fmt.Sprintf("%s is not there: create it again, on the topic of the log sink (entries since it went are lost to it; the log has them): gcloud pubsub subscriptions create %s --project=%s --topic=TOPIC --ack-deadline=60 --message-retention-duration=31d --expiration-period=never",
			s.name, s.Subscription, s.Project)
	case codes.FailedPrecondition, codes.InvalidArgument:
		t.Kind = alert.Missing
		t.Text = fmt.Sprintf("%s cannot be pulled from (a push or export subscription, or a detached one?): %s: see gcloud pubsub subscriptions describe %s --project=%s",
			s.name, said, s.Subscription, s.Project)
	case codes.PermissionDenied:
		t.Kind = alert.Forbidden
		t.Text = fmt.Sprintf("%s may not be read: %s: grant roles/pubsub.subscriber on it: gcloud pubsub subscriptions add-iam-policy-binding %s --project=%s --member=serviceAccount:ACCOUNT --role=roles/pubsub.subscriber",
			s.name, said, s.Subscription, s.Project)
	case codes.Unauthenticated:
		t.Kind = alert.Forbidden
		t.Text = fmt.Sprintf("%s cannot be read: the credentials are not accepted, they may have expired or been deleted: %s: see that the service account is enabled and its credentials are current", s.name, said)
	case codes.ResourceExhausted:
		t.Kind = alert.Exhausted
		t.Text = fmt.Sprintf("%s: a quota of Pub/Sub is used up: %s: see https://console.cloud.google.com/apis/api/pubsub.googleapis.com/quotas?project=%s", s.name, said, s.Project)
	default:
		t.Kind = alert.Unreachable
		t.Text = fmt.Sprintf("Pub/Sub cannot be reached for %s: %s (%s): see that the network lets connections to it through, and https://status.cloud.google.com",
			s.name, said, status.Code(err))
	}
	return t
}
