package main

import (
	"encoding/json"
	"maps"
	"net/http"
	"slices"
	"strings"

	apidiscoveryv2 "k8s.io/api/apidiscovery/v2"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// aggregated is how discovery is asked for since Kubernetes 1.30: all in two answers.
const aggregated = "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList"

// verbs are what all kinds of the cluster can.
var verbs = []string{"create", "delete", "deletecollection", "get", "list", "patch", "update", "watch"}

// discover answers what asks for kinds, and reports whether it did.
func (f *fakeCluster) discover(w http.ResponseWriter, r *http.Request) bool {
	var answer any
	form := "application/json"
	switch path := strings.TrimSuffix(r.URL.Path, "/"); {
	case path == "/api" || path == "/apis":
		if !strings.Contains(r.Header.Get("Accept"), "APIGroupDiscoveryList") {
			return false
		}
		form, answer = aggregated, groupsOf(path == "/api")
	default:
		list := metav1.APIResourceList{TypeMeta: metav1.TypeMeta{Kind: "APIResourceList", APIVersion: "v1"}}
		for _, k := range kindsOf() {
			if version, _ := cut(k.path()); version == path {
				list.GroupVersion = k.apiVersion()
				list.APIResources = append(list.APIResources, metav1.APIResource{Name: k.resource.Resource, Kind: k.kind, Namespaced: k.namespaced, Verbs: verbs})
			}
		}
		if list.GroupVersion == "" {
			return false
		}
		answer = list
	}
	w.Header().Set("Content-Type", form)
	if err := json.NewEncoder(w).Encode(answer); err != nil && r.Context().Err() == nil {
		f.complain(err.Error())
	}
	return true
}

func groupsOf(core bool) apidiscoveryv2.APIGroupDiscoveryList {
	versions := map[string]apidiscoveryv2.APIVersionDiscovery{}
	for _, k := range kindsOf() {
		if (k.resource.Group == "") != core {
			continue
		}
		v := versions[k.resource.Group]
		v.Version, v.Freshness = k.version, apidiscoveryv2.DiscoveryFreshnessCurrent
		scope := apidiscoveryv2.ScopeCluster
		if k.namespaced {
			scope = apidiscoveryv2.ScopeNamespace
		}
		v.Resources = append(v.Resources, apidiscoveryv2.APIResourceDiscovery{
			Resource: k.resource.Resource, Scope: scope, SingularResource: strings.ToLower(k.kind), Verbs: verbs,
			ResponseKind: &metav1.GroupVersionKind{Group: k.resource.Group, Version: k.version, Kind: k.kind},
		})
		versions[k.resource.Group] = v
	}
	list := apidiscoveryv2.APIGroupDiscoveryList{TypeMeta: metav1.TypeMeta{Kind: "APIGroupDiscoveryList", APIVersion: "apidiscovery.k8s.io/v2"}}
	for _, group := range slices.Sorted(maps.Keys(versions)) {
		list.Items = append(list.Items, apidiscoveryv2.APIGroupDiscovery{
			ObjectMeta: metav1.ObjectMeta{Name: group}, Versions: []apidiscoveryv2.APIVersionDiscovery{versions[group]},
		})
	}
	return list
}
