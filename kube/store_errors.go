package kube

import (
	"errors"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/mollyguard/mollyguard/breakglass"
)

var errNoCRDs = errors.New("the CRDs of mollyguard are not installed: kubectl apply --filename deploy/base/crds")

// storeError translates what the API server says into the errors of a
// breakglass.Store.
func storeError(err error) error {
	switch {
	case meta.IsNoMatchError(err), noSuchPath(err):
		return errNoCRDs
	case apierrors.IsNotFound(err):
		return breakglass.ErrNotFound
	case apierrors.IsAlreadyExists(err):
		return breakglass.ErrExists
	case apierrors.IsConflict(err):
		return breakglass.ErrConflict
	}
	return err
}

// noSuchPath reports whether it is not the object that is missing but all of its
// kind: the API server then answers 404 without a status, and client-go makes one
// up (k8s.io/apimachinery api/errors NewGenericServerResponse).
func noSuchPath(err error) bool {
	return apierrors.IsNotFound(err) && apierrors.HasStatusCause(err, metav1.CauseTypeUnexpectedServerResponse)
}
