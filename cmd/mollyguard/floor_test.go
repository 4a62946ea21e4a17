package main

import (
	"context"
	"log/slog"
	"testing"
	"testing/synctest"
	"time"

	authenticationv1 "k8s.io/api/authentication/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
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
