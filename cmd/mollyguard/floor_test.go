package main

import (
	"context"
	"errors"
	"log/slog"
	"testing"
	"testing/synctest"
	"time"

	authenticationv1 "k8s.io/api/authentication/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/kubernetes/fake"
	clienttesting "k8s.io/client-go/testing"
)

func TestAServerThatIsNotToldWhoItIsGoesOnAsWhoItShouldBe(t *testing.T) {
	const should = "system:serviceaccount:mollyguard:mollyguard"
	for _, tt := range []struct {
		name    string
		refused int // how many times
		want    string
		within  time.Duration
	}{
		{"told at once", 0, "alice", 0},
		{"told at the third attempt", 2, "alice", 2 * cacheRetry},
		{"never told", 1000, should, selfPatience},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				clients := fake.NewClientset()
				asked := 0
				clients.PrependReactor("create", "selfsubjectreviews", func(clienttesting.Action) (bool, runtime.Object, error) {
					if asked++; asked <= tt.refused {
						return true, nil, apierrors.NewForbidden(schema.GroupResource{Resource: "selfsubjectreviews"}, "", nil)
					}
					return true, &authenticationv1.SelfSubjectReview{Status: authenticationv1.SelfSubjectReviewStatus{UserInfo: authenticationv1.UserInfo{Username: "alice"}}}, nil
				})
				begun := time.Now()
				got := knownAs(context.Background(), clients, should, slog.New(slog.DiscardHandler))
				if took := time.Since(begun); got != tt.want || took != tt.within {
					t.Errorf("%s after %s, want %s after %s", got, took, tt.want, tt.within)
				}
			})
		})
	}
}

// lateFloors is a mapper to which the kind Floor is known from some time on.
type lateFloors struct {
	meta.RESTMapper
	from time.Time
}

func (m lateFloors) RESTMapping(kind schema.GroupKind, _ ...string) (*meta.RESTMapping, error) {
	if time.Now().Before(m.from) {
		return nil, &meta.NoKindMatchError{GroupKind: kind}
	}
	return &meta.RESTMapping{}, nil
}

func TestAServerThatStartsBeforeItsDefinitionsGetsAFloorWhenTheyCome(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), time.Hour)
		defer cancel()
		log := slog.New(slog.DiscardHandler)
		mapper := lateFloors{from: time.Now().Add(floorsAgain + time.Second)}
		if hasFloors(ctx, mapper, log) {
			t.Error("there is a floor before there can be one")
		}
		begun := time.Now()
		if err := awaitFloors(ctx, mapper, floorsAgain, log); !errors.Is(err, errFloors) || time.Since(begun) != 2*floorsAgain {
			t.Errorf("%v after %s", err, time.Since(begun))
		}
		never := lateFloors{from: time.Now().Add(2 * time.Hour)}
		if err := awaitFloors(ctx, never, floorsAgain, log); err != nil {
			t.Errorf("where they never come: %v", err)
		}
	})
}
