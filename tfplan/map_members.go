package tfplan

import "strings"

// memberName is how members are compared: without the kind that Google's IAM writes before
// it, in lower case; a role or user of AWS by its account and name, whatever its path is
// and in which session it is taken.
func memberName(member string) string {
	member = strings.ToLower(strings.TrimSpace(member))
	for _, kind := range []string{"serviceaccount:", "user:", "group:"} {
		if name, ok := strings.CutPrefix(member, kind); ok {
			return name
		}
	}
	if account, kind, name := awsName(member); name != "" {
		return "aws:" + account + ":" + kind + "/" + name
	}
	return member
}

// applierNames are the names by which somebody who applies may be given rights, besides
// their own: the domain of an e-mail, the name of a role without its account (which the
// resources of IAM have), all service accounts of a namespace.
func applierNames(name string) []string {
	name = memberName(name)
	names := []string{name}
	if _, domain, ok := strings.Cut(name, "@"); ok {
		names = append(names, "domain:"+domain)
	}
	if rest, ok := strings.CutPrefix(name, "aws:"); ok {
		names = append(names, lastSegment(rest))
	}
	if rest, ok := strings.CutPrefix(name, "system:serviceaccount:"); ok {
		namespace, _, _ := strings.Cut(rest, ":")
		names = append(names, "system:serviceaccounts:"+namespace)
	}
	return names
}

// awsName takes the ARN of a role, of a session of one, or of a user apart
// (https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_identifiers.html).
func awsName(arn string) (account, kind, name string) {
	parts := strings.SplitN(arn, ":", 6)
	if len(parts) != 6 || parts[0] != "arn" || parts[2] != "iam" && parts[2] != "sts" {
		return "", "", ""
	}
	kind, rest, ok := strings.Cut(parts[5], "/")
	switch {
	case !ok:
		return "", "", ""
	case parts[2] == "sts" && kind == "assumed-role":
		name, _, _ = strings.Cut(rest, "/")
		return parts[4], "role", name
	case parts[2] == "iam" && (kind == "role" || kind == "user"):
		return parts[4], kind, lastSegment(rest)
	}
	return "", "", ""
}
