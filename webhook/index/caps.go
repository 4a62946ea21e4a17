package index

import "fmt"

// Who may write one object may write 1.5 MB of it (etcd --max-request-bytes), and what
// asks about others is to be answered whatever those hold. These bound what is kept of
// one object; what is left out is taken for whatever does more harm, and said where it
// matters.
const (
	// maxRead bounds the labels of one object that are read: at some 100 bytes each 400 KB.
	// The label that makes it production may be among the others, so that it counts as
	// production.
	maxRead = 4096
	// maxLabels bounds the labels of a pod that are kept. Those in use have some ten to
	// thirty. A pod with more, or with more than maxText bytes of them, may be selected by
	// anything.
	maxLabels = 256
	// maxRequirements bounds the requirements of a selector, and the values in them. One
	// with more may select anything.
	maxRequirements = 256
	// maxText bounds, in bytes, the labels that are kept of a pod, and once more the names
	// of the Secrets and ConfigMaps: 64 KiB in all. A pod with more of these may mount any.
	maxText = 32 << 10
	// maxClaims bounds the claims that are kept of a pod: a node attaches no more than 127
	// volumes on GKE (Compute Engine, persistent disk limits), and some 40 elsewhere. A pod
	// with more may mount any of its namespace.
	maxClaims = 256
	// maxOwners bounds the owners of one object: most have one. What has more is owned by
	// the first of them, and may be owned by anything in its namespace.
	maxOwners = 64
	// maxAccounts bounds the service accounts of one binding: more are taken for all.
	maxAccounts = 1024
	// maxCompared bounds the labels that one question compares, and the pods, or lots of
	// pods that are alike, that it looks at: at some 100 ns each it takes 50 ms, and up to
	// 200 ms where all are as long as can be. A cluster has up to 150,000 pods
	// (kubernetes.io, considerations for large clusters).
	maxCompared = 500_000
)

// What is said of a pod, a selector or an object that is over its bounds.
var (
	tooManyLabels = fmt.Sprintf("which pods it selects (a pod has more than %d labels, or %d KiB of them)", maxLabels, maxText>>10)
	tooLongSelect = fmt.Sprintf("which pods it selects (a selector has more than %d requirements and values)", maxRequirements)
	tooManyNames  = fmt.Sprintf("which pods mount it (a pod names more than %d KiB of Secrets and ConfigMaps)", maxText>>10)
	tooManyClaims = fmt.Sprintf("which pods mount it (a pod has more than %d claims)", maxClaims)
	tooManyOwners = fmt.Sprintf("all that it owns (an object has more than %d owners)", maxOwners)
	tooManyPods   = fmt.Sprintf("which pods depend on it (more than %d pods and labels must be looked at)", maxCompared)
)
