package tfplan

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"maps"
	"path"
	"slices"
	"strings"

	"github.com/go-json-experiment/json/jsontext"
)

// emptyVariables is the digest of {}.
const emptyVariables = "44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a"

// variables digests the variables' values: {"name": value, …}, canonical. Canonical JSON
// has numbers of 64 bits, so whole numbers above 2^53 that round alike digest alike.
func (p *firstPass) variables() error {
	text := []byte{'{'}
	_, err := p.object(func(name []byte) error {
		if len(text) > 1 {
			text = append(text, ',')
		}
		var err error
		if text, err = jsontext.AppendQuote(text, name); err != nil {
			return err
		}
		text = append(text, ':')
		value := jsontext.Value("null")
		_, err = p.object(func(name []byte) error {
			if string(name) == "value" {
				return p.keep(&value)
			}
			return p.skip()
		})
		text = append(text, value...)
		return err
	})
	if err != nil {
		return err
	}
	canonical := jsontext.Value(append(text, '}'))
	if err := canonical.Canonicalize(); err != nil {
		return err
	}
	sum := sha256.Sum256(canonical)
	p.doc.head.Variables = hex.EncodeToString(sum[:])
	return nil
}

func (p *firstPass) configuration() error {
	head := &p.doc.head
	_, err := p.object(func(name []byte) error {
		switch string(name) {
		case "provider_config":
			return p.providers()
		case "root_module":
			head.ProviderOf, head.Provisioned = map[string]string{}, map[string]bool{}
			return p.configured("")
		}
		return p.skipLong()
	})
	return err
}

// maxProviders caps the provider configurations: a module each for some thousand projects.
const maxProviders = 10000

func (p *firstPass) providers() error {
	head := &p.doc.head
	head.Providers, head.Configurations = map[string]map[string]string{}, map[string][]string{}
	_, err := p.object(func(name []byte) error {
		if len(head.Providers) == maxProviders {
			return badPlan("", "the plan has more than %d provider configurations", maxProviders)
		}
		key := string(name)
		return p.one(func() error {
			text, err := p.value()
			if err != nil {
				return err
			}
			var provider struct {
				FullName    string         `json:"full_name"`
				Expressions map[string]any `json:"expressions"`
			}
			if err := json.Unmarshal(text, &provider); err != nil {
				return badPlan("", "provider_config %.100q of the plan is not of the form that Terraform writes", key)
			}
			constants := map[string]string{}
			gather(constants, provider.Expressions)
			head.Providers[key] = constants
			p.plain[key] = path.Base(provider.FullName) == key
			if source := provider.FullName; source != "" {
				head.Configurations[source] = append(head.Configurations[source], key)
			}
			return nil
		})
	})
	for _, keys := range head.Configurations {
		slices.Sort(keys)
		for _, key := range keys {
			p.plain[key] = p.plain[key] && len(keys) == 1
		}
	}
	return err
}

// Arguments of providers that say what they act on and as whom. Others may be secret and
// are not kept.
func tellsWhere(argument string) bool {
	switch argument {
	case "project", "region", "zone", "location", "billing_project", "impersonate_service_account",
		"account_id", "allowed_account_ids", "profile", "role_arn",
		"subscription_id", "tenant_id", "client_id", "environment",
		"host", "config_context", "config_context_cluster", "config_context_auth_info", "config_path",
		"namespace", "organization":
		return true
	}
	return false
}

// gather collects the constants of a provider's arguments. Those of nested blocks, such as
// helm's kubernetes and aws' assume_role, go by their own name unless an outer one has it.
func gather(to map[string]string, arguments map[string]any) {
	names := slices.Sorted(maps.Keys(arguments))
	for _, name := range names {
		expression, ok := arguments[name].(map[string]any)
		if !ok || !tellsWhere(name) || to[name] != "" {
			continue
		}
		if text := constantText(expression["constant_value"]); text != "" {
			to[name] = text
		}
	}
	for _, name := range names {
		switch inner := arguments[name].(type) {
		case []any:
			for _, block := range inner {
				if block, ok := block.(map[string]any); ok {
					gather(to, block)
				}
			}
		case map[string]any:
			// An attribute that is an object (helm 3), or a single block.
			if constant, ok := inner["constant_value"].(map[string]any); ok {
				gather(to, asExpressions(constant))
			} else if _, computed := inner["references"]; !computed {
				gather(to, inner)
			}
		}
	}
}

func asExpressions(values map[string]any) map[string]any {
	expressions := make(map[string]any, len(values))
	for name, value := range values {
		expressions[name] = map[string]any{"constant_value": value}
	}
	return expressions
}

// constantText is a constant as text, a list's elements with commas between; empty if it
// is anything else.
func constantText(value any) string {
	switch value := value.(type) {
	case string:
		return value
	case float64:
		text, _ := json.Marshal(value) // a number from JSON
		return string(text)
	case []any:
		var texts []string
		for _, element := range value {
			texts = append(texts, constantText(element))
		}
		return strings.Join(texts, ",")
	}
	return ""
}

// configured reads a module of the configuration, whose resources' addresses begin with
// prefix, and those below it.
func (p *firstPass) configured(prefix string) error {
	_, err := p.object(func(name []byte) error {
		switch string(name) {
		case "resources":
			return p.list(func(int) error { return p.one(func() error { return p.configuredResource(prefix) }) })
		case "module_calls":
			_, err := p.object(func(name []byte) error {
				below := prefix + "module." + string(name) + "."
				_, err := p.object(func(name []byte) error {
					if string(name) == "module" {
						return p.configured(below)
					}
					return p.skipLong()
				})
				return err
			})
			return err
		}
		return p.skipLong()
	})
	return err
}

func (p *firstPass) configuredResource(prefix string) error {
	var address, key string
	provisioned := false
	_, err := p.object(func(name []byte) error {
		switch string(name) {
		case "provisioners":
			return p.list(func(int) error {
				provisioned = true
				return p.skip()
			})
		case "address":
			return p.text(&address)
		case "provider_config_key":
			return p.word(&key)
		}
		return p.skip()
	})
	if err != nil || address == "" {
		return err
	}
	if provisioned {
		p.doc.head.Provisioned[prefix+address] = true
	}
	if key != "" && !p.plain[key] {
		p.doc.head.ProviderOf[prefix+address] = key
	}
	return nil
}
