package kube

import (
	"fmt"
	"net/http"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/mollyguard/mollyguard/kube/v1alpha1"
)

// resources are the plural names of the kinds, as in deploy/base/crds.
var resources = map[string]string{
	"BreakGlassRequest": "breakglassrequests",
	"BreakGlassVerdict": "breakglassverdicts",
	"Grant":             "grants",
	"BreakGlassUse":     "breakglassuses",
}

// NewClient returns a client for StoreOptions, which knows the kinds of break
// glass and no others. It asks the API server for nothing but objects: what
// resources there are is known.
func NewClient(config *rest.Config, httpClient *http.Client) (client.Client, error) {
	scheme := runtime.NewScheme()
	if err := v1alpha1.AddToScheme(scheme); err != nil {
		return nil, fmt.Errorf("make a client for break glass: %w", err)
	}
	mapper := meta.NewDefaultRESTMapper([]schema.GroupVersion{v1alpha1.GroupVersion()})
	for kind, resource := range resources {
		version := v1alpha1.GroupVersion()
		mapper.AddSpecific(version.WithKind(kind), version.WithResource(resource), version.WithResource(resource), meta.RESTScopeRoot)
	}
	c, err := client.New(config, client.Options{HTTPClient: httpClient, Scheme: scheme, Mapper: mapper})
	if err != nil {
		return nil, fmt.Errorf("make a client for break glass: %w", err)
	}
	return c, nil
}

// Watched returns the objects that StoreOptions.Cache must hold: metadata of
// requests and grants.
func Watched() []client.Object {
	return []client.Object{metadata("BreakGlassRequest"), metadata("Grant")}
}

func metadata(kind string) *metav1.PartialObjectMetadata {
	m := &metav1.PartialObjectMetadata{}
	m.SetGroupVersionKind(v1alpha1.GroupVersion().WithKind(kind))
	return m
}

func metadataList(kind string) *metav1.PartialObjectMetadataList {
	l := &metav1.PartialObjectMetadataList{}
	l.SetGroupVersionKind(v1alpha1.GroupVersion().WithKind(kind + "List"))
	return l
}
