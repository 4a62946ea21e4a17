package inventory

import (
	"strings"

	"github.com/mollyguard/mollyguard/operation"
)

const (
	resourceManager = "cloudresourcemanager.googleapis.com"
	gkeService      = "container.googleapis.com"
	storageService  = "storage.googleapis.com"
	secretService   = "secretmanager.googleapis.com"
)

// RefOf returns the canonical name (operation.GCPRef) of an asset by its name
// //SERVICE/PATH (https://cloud.google.com/asset-inventory/docs/asset-names), and "" for
// what is no asset name. project is the id that stands for the project's number if the
// name begins with a number, or empty if it is not known: the number stays then.
//
// Names are equal but for these:
//
//	//container…/projects/P/zones|regions/L/…   projects/P/locations/L/…
//	//storage…/BUCKET                           projects/_/buckets/BUCKET
//	//sqladmin…, //bigtableadmin…               cloudsql…, bigtable…, as entries say
//	//SERVICE/projects/P itself                 cloudresourcemanager…/projects/P, and so
//	                                            folders, organizations, a project's billingInfo
//
// The type says nothing that the name does not, so far.
func RefOf(assetName, _, project string) string {
	rest, ok := strings.CutPrefix(assetName, "//")
	service, path, ok2 := strings.Cut(rest, "/")
	if !ok || !ok2 || service == "" || path == "" || strings.HasSuffix(path, "/") {
		return ""
	}
	service, path = canonical(service, path)
	if number := projectOf(path); project != "" && isNumber(number) {
		path = withProject(path, project)
	}
	return operation.GCPRef(service, path)
}

// canonical is the one way to write a name, whether an asset's or an entry's.
func canonical(service, path string) (string, string) {
	switch service {
	case "sqladmin.googleapis.com":
		service = "cloudsql.googleapis.com"
	case "bigtableadmin.googleapis.com":
		service = "bigtable.googleapis.com"
	case gkeService:
		parts := strings.SplitN(path, "/", 4)
		if len(parts) == 4 && parts[0] == "projects" && (parts[2] == "zones" || parts[2] == "regions") {
			path = "projects/" + parts[1] + "/locations/" + parts[3]
		}
	case storageService:
		path = bucketPath(path)
	}
	path = strings.TrimSuffix(path, "/billingInfo")
	if kind, name, ok := strings.Cut(path, "/"); ok && isContainer(kind) && !strings.Contains(name, "/") && name != "_" {
		service = resourceManager
	}
	return service, path
}

// bucketPath writes a bucket, and what is in it, without its project: bucket names are
// unique everywhere.
func bucketPath(path string) string {
	parts := strings.SplitN(path, "/", 4)
	switch {
	case len(parts) == 4 && parts[0] == "projects" && parts[2] == "buckets":
		return "projects/_/buckets/" + parts[3]
	case parts[0] == "projects":
		return path
	case len(parts) > 1 && (parts[0] == "b" || parts[0] == "buckets"):
		return "projects/_/buckets/" + strings.Join(parts[1:], "/")
	}
	return "projects/_/buckets/" + path
}

func isContainer(kind string) bool {
	return kind == "projects" || kind == "folders" || kind == "organizations"
}

// projectOf returns the project in a path, by whatever the path has: id or number.
func projectOf(path string) string {
	rest, ok := strings.CutPrefix(path, "projects/")
	project, _, _ := strings.Cut(rest, "/")
	if !ok || project == "_" || project == "-" {
		return ""
	}
	return project
}

// withProject replaces the project in a path that has one.
func withProject(path, project string) string {
	_, rest, below := strings.Cut(strings.TrimPrefix(path, "projects/"), "/")
	if !below {
		return "projects/" + project
	}
	return "projects/" + project + "/" + rest
}

// isNumber reports whether a project is named by its number: ids begin with a letter
// (https://cloud.google.com/resource-manager/docs/creating-managing-projects).
func isNumber(project string) bool {
	return project != "" && strings.Trim(project, "0123456789") == ""
}

// validProject returns an id that can be one, and else "". Old ids may begin with a
// domain.
func validProject(id string) string {
	if len(id) > maxLabel || isNumber(id) || strings.Trim(id, "abcdefghijklmnopqrstuvwxyz0123456789-.:") != "" {
		return ""
	}
	return id
}

// maxDepth is how many segments a parent's path may have: those of a version of a KMS key
// are the longest, of 10, and the names of objects in buckets may have any number.
const maxDepth = 10

// parentsOf lists the paths that a path is below, nearest first, down to what is in the
// project and not the project itself.
func parentsOf(path string) []string {
	var list []string
	least := 2
	for end := len(path); ; {
		end = strings.LastIndexByte(path[:end], '/')
		if end < 0 {
			return list
		}
		switch depth := strings.Count(path[:end], "/") + 1; {
		case depth <= least:
			return list
		case depth <= maxDepth:
			list = append(list, path[:end])
		}
	}
}

// assetNames lists the names that asset history may know a resource by, the likelier
// first. number is the project's, or empty.
func assetNames(service, path, number string) []string {
	if service == storageService {
		return []string{"//" + service + "/" + strings.TrimPrefix(path, "projects/_/buckets/")}
	}
	name := "//" + service + "/" + path
	switch {
	case service == gkeService:
		parts := strings.SplitN(path, "/", 5)
		if len(parts) == 5 && parts[2] == "locations" && isZone(parts[3]) {
			return []string{"//" + service + "/projects/" + parts[1] + "/zones/" + parts[3] + "/" + parts[4], name}
		}
	case (service == secretService || path == "projects/"+projectOf(path)) && number != "":
		return []string{"//" + service + "/" + withProject(path, number), name}
	}
	return []string{name}
}

// isZone tells a zone from a region: it ends in a letter of its own, such as -a
// (https://cloud.google.com/compute/docs/regions-zones).
func isZone(location string) bool {
	return len(location) > 2 && location[len(location)-2] == '-' && location[len(location)-1] >= 'a'
}
