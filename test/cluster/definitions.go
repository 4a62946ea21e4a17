package cluster

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// definitionsTimeout bounds WaitForDefinitions for a caller that set no deadline. It
// takes less than a second on an idle machine.
const definitionsTimeout = time.Minute

// definition is what matters here of a CustomResourceDefinition.
type definition struct {
	Metadata struct {
		Name              string `json:"name"`
		DeletionTimestamp string `json:"deletionTimestamp"`
	} `json:"metadata"`
	Spec struct {
		Group string `json:"group"`
		Names struct {
			Plural string `json:"plural"`
		} `json:"names"`
		Versions []struct {
			Name   string `json:"name"`
			Served bool   `json:"served"`
		} `json:"versions"`
	} `json:"spec"`
}

// WaitForDefinitions returns once all kinds that CustomResourceDefinitions define can be
// worked with. It waits until ctx ends, or a minute if ctx has no deadline.
//
// That a definition is Established does not say it: the API server's handlers and its
// discovery, by which kubectl finds kinds, learn of it a moment later, each on its own.
func (c *Cluster) WaitForDefinitions(ctx context.Context) error {
	if _, ok := ctx.Deadline(); !ok {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, definitionsTimeout)
		defer cancel()
	}
	return c.poll(ctx, "what is defined to be served", func(ctx context.Context) (bool, error) {
		err := c.definitionsServed(ctx)
		return err == nil, err
	})
}

// definitionsServed says what of the definitions is not served.
func (c *Cluster) definitionsServed(ctx context.Context) error {
	client := c.clients.Discovery().RESTClient()
	data, err := client.Get().AbsPath("/apis/apiextensions.k8s.io/v1/customresourcedefinitions").DoRaw(ctx)
	if err != nil {
		return err
	}
	var list struct {
		Items []definition `json:"items"`
	}
	if err := json.Unmarshal(data, &list); err != nil {
		return fmt.Errorf("read the definitions: %w", err)
	}
	_, found, err := c.clients.Discovery().ServerGroupsAndResources()
	if err != nil {
		return err
	}
	var missing []string
	for _, d := range list.Items {
		if d.Metadata.DeletionTimestamp != "" {
			continue
		}
		for _, v := range d.Spec.Versions {
			if !v.Served {
				continue
			}
			version := d.Spec.Group + "/" + v.Name
			if !slices.ContainsFunc(found, func(l *metav1.APIResourceList) bool {
				return l.GroupVersion == version && slices.ContainsFunc(l.APIResources, func(r metav1.APIResource) bool { return r.Name == d.Spec.Names.Plural })
			}) {
				missing = append(missing, d.Metadata.Name+" is not discovered in "+version)
			} else if err := client.Get().AbsPath("/apis", d.Spec.Group, v.Name, d.Spec.Names.Plural).Param("limit", "1").Do(ctx).Error(); err != nil {
				missing = append(missing, d.Metadata.Name+" in "+version+": "+err.Error())
			}
		}
	}
	if len(missing) > 0 {
		return errors.New(strings.Join(missing, "; "))
	}
	return nil
}
