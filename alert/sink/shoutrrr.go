package sink

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/nicholas-fedor/shoutrrr/pkg/router"
	"github.com/nicholas-fedor/shoutrrr/pkg/types"

	"github.com/mollyguard/mollyguard/alert"
	"github.com/mollyguard/mollyguard/operation"
)

const (
	// maxShoutrrrText is how long a text is, in bytes: Telegram's limit of 4096 characters
	// is the lowest of services that do not split a text, less what formatting adds.
	maxShoutrrrText = 3500
	// maxHanging is how many calls may hang: some of shoutrrr's services have no timeout
	// and take no context. With more, the service is down, and says nothing new.
	maxHanging = 4
)

// ShoutrrrOptions say which service to use.
type ShoutrrrOptions struct {
	// URL is one of shoutrrr's service URLs, with the credentials in it
	// (https://shoutrrr.nickfedor.com/services/overview/).
	URL Credential
}

// Shoutrrr tells alerts by any of shoutrrr's services, in plain text. Each revision is a
// message: the services have no common way to change one. shoutrrr does not say what an
// error means, so every one is tried again. It uses net/http's default client, and with
// that the environment's proxy. Send may be called concurrently.
type Shoutrrr struct {
	url   Credential
	leash leash
}

// NewShoutrrr checks that there is a URL of a service that shoutrrr has; it does not
// connect.
func NewShoutrrr(o ShoutrrrOptions) (*Shoutrrr, error) {
	if o.URL == nil {
		return nil, errors.New("shoutrrr: no URL")
	}
	secret, err := o.URL()
	if err != nil {
		return nil, fmt.Errorf("shoutrrr: %w", err)
	}
	if _, err := serviceOf(secret); err != nil {
		return nil, err
	}
	return &Shoutrrr{o.URL, newLeash(maxHanging)}, nil
}

// serviceOf is the name of the service that a URL is for.
func serviceOf(secret operation.Secret) (string, error) {
	scheme, _, ok := strings.Cut(secret.Reveal(), "://")
	scheme, _, _ = strings.Cut(scheme, "+")
	if _, err := new(router.ServiceRouter).NewService(scheme); !ok || err != nil {
		// What is before :// may be anything, so it is not shown.
		return "", errors.New("shoutrrr: the URL does not begin with a service that it has, such as telegram://")
	}
	return strings.ToLower(scheme), nil
}

// Send implements alert.Sink.
func (s *Shoutrrr) Send(ctx context.Context, a alert.Alert) error {
	secret, err := s.url()
	if err != nil {
		return fmt.Errorf("shoutrrr: %w", err)
	}
	service, err := serviceOf(secret)
	if err != nil {
		return err
	}
	said := text(a, maxShoutrrrText)
	err = s.leash.run(ctx, func() error {
		// Even to set up a service may take a call: matrix logs in.
		sender, err := new(router.ServiceRouter).Locate(secret.Reveal())
		if err != nil {
			return err
		}
		return sender.Send(said, &types.Params{})
	})
	switch {
	case err == nil:
		return nil
	case errors.Is(err, errLeash), ctx.Err() != nil && errors.Is(err, ctx.Err()):
		return fmt.Errorf("shoutrrr: %s: %w", service, err)
	default:
		return fmt.Errorf("shoutrrr: %s: %s", service, newScrubber([]string{service}, secret).clean(err.Error()))
	}
}
