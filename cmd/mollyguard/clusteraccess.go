package main

import (
	"fmt"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/metadata"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client/apiutil"

	"github.com/mollyguard/mollyguard/webhook"
)

// clusterAccess is how the cluster is asked.
type clusterAccess struct {
	config     *rest.Config
	httpClient httpClient
	clients    kubernetes.Interface
	mapper     meta.RESTMapper
	caches     cache.Cache
	lookup     *webhook.ClusterLookup
	inCluster  bool
}

// openCluster makes the clients of a cluster. None of them asks it anything yet.
func openCluster(restConfig *rest.Config, inCluster bool) (*clusterAccess, error) {
	clients, err := kubernetes.NewForConfig(restConfig)
	if err != nil {
		return nil, fmt.Errorf("make a client: %w", err)
	}
	fetcher, err := metadata.NewForConfig(restConfig)
	if err != nil {
		return nil, fmt.Errorf("make a metadata client: %w", err)
	}
	whole, err := dynamic.NewForConfig(restConfig)
	if err != nil {
		return nil, fmt.Errorf("make a dynamic client: %w", err)
	}
	httpClient, err := rest.HTTPClientFor(restConfig)
	if err != nil {
		return nil, fmt.Errorf("make an HTTP client: %w", err)
	}
	mapper, err := apiutil.NewDynamicRESTMapper(restConfig, httpClient)
	if err != nil {
		return nil, fmt.Errorf("make a REST mapper: %w", err)
	}
	caches, err := cache.New(restConfig, cache.Options{
		HTTPClient: httpClient, Scheme: scheme.Scheme, Mapper: mapper,
		DefaultTransform: lean,
	})
	if err != nil {
		return nil, fmt.Errorf("make caches: %w", err)
	}
	return &clusterAccess{
		config: restConfig, httpClient: httpClient, clients: clients, mapper: mapper, caches: caches,
		lookup: webhook.NewClusterLookup(caches, fetcher, whole, mapper), inCluster: inCluster,
	}, nil
}

// lean drops what nobody here reads, and what others can make as large as they
// like: managed fields, and of metadata alone the annotations too.
func lean(object any) (any, error) {
	if m, ok := object.(*metav1.PartialObjectMetadata); ok {
		m.Annotations = nil
	}
	return cache.TransformStripManagedFields()(object)
}
