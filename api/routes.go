package api

import (
	_ "embed"
	"encoding/json"
	"fmt"
	"net/http"

	"github.com/mollyguard/mollyguard/breakglass"
	"github.com/mollyguard/mollyguard/operation"
)

// description is the OpenAPI 3.1 description of the API.
//
//go:embed openapi.json
var description []byte

// routes lists what there is.
func routes() []route {
	list := []route{
		{method: http.MethodGet, path: pathWhoAmI, serve: (*handler).whoAmI},
		{method: http.MethodGet, path: pathRequests, serve: (*handler).list},
		{method: http.MethodPost, path: pathRequests, serve: (*handler).request},
		{method: http.MethodGet, path: pathRequest, serve: (*handler).view},
		{method: http.MethodPost, path: pathToken, serve: (*handler).token},
		{method: http.MethodPost, path: pathTokens, serve: (*handler).importToken},
		{method: http.MethodPost, path: pathUses, serve: (*handler).usePlan},
		{method: http.MethodGet, path: pathDecision, serve: (*handler).decision},
		{method: http.MethodGet, path: pathKeys, open: true, serve: (*handler).publicKeys},
		{method: http.MethodGet, path: pathInterface, open: true, serve: (*handler).describe},
	}
	for _, kind := range []breakglass.VerdictKind{breakglass.Approve, breakglass.Deny, breakglass.Revoke} {
		list = append(list, route{method: http.MethodPost, path: pathVerdict(kind), serve: judge(kind)})
	}
	return list
}

func ok(body any) answer { return answer{status: http.StatusOK, body: body} }

func (h *handler) whoAmI(c *call) (answer, error) {
	actor := c.actor
	actor.Groups = listed(actor.Groups)
	return ok(Caller{Actor: actor, Audience: h.audience}), nil
}

// look returns a *breakglass.Refusal unless a caller may see the cases of others.
func (h *handler) look(c *call) error {
	if h.mayLook == nil {
		return nil
	}
	allowed, why, err := h.mayLook(c.Context(), c.actor)
	if err != nil {
		return fmt.Errorf("ask whether %s may look: %w", c.actor.Name, err)
	}
	if !allowed {
		return &breakglass.Refusal{Reason: why}
	}
	return nil
}

func (h *handler) list(c *call) (answer, error) {
	if err := h.look(c); err != nil {
		return answer{}, err
	}
	views, err := h.desk.List(c.Context())
	if err != nil {
		return answer{}, err
	}
	list := cases{Cases: make([]Case, len(views))}
	for i, view := range views {
		list.Cases[i] = CaseOf(view)
	}
	return ok(list), nil
}

func (h *handler) request(c *call) (answer, error) {
	proposal, err := read[Proposal](c)
	if err != nil {
		return answer{}, err
	}
	view, err := h.desk.Request(c.Context(), c.actor, proposal.proposal())
	if err != nil {
		return answer{}, err
	}
	return answer{status: http.StatusCreated, body: CaseOf(view), location: pathRequests + "/" + view.ID()}, nil
}

// handle is the {id} of a path, or breakglass.ErrNotFound if it is no handle:
// nothing else goes to a store.
func (c *call) handle() (string, error) {
	id := c.PathValue("id")
	if !breakglass.IsHandle(id) {
		return "", breakglass.ErrNotFound
	}
	return id, nil
}

func (h *handler) view(c *call) (answer, error) {
	id, err := c.handle()
	if err != nil {
		return answer{}, err
	}
	view, err := h.desk.View(c.Context(), id)
	if err != nil {
		return answer{}, err
	}
	own := view.Subject() == c.actor.Name || view.Request != nil && view.Request.Requester.Name == c.actor.Name
	if !own {
		err = h.look(c)
	}
	return caseAnswer(view, err)
}

func caseAnswer(view breakglass.View, err error) (answer, error) {
	if err != nil {
		return answer{}, err
	}
	return ok(CaseOf(view)), nil
}

func judge(kind breakglass.VerdictKind) func(h *handler, c *call) (answer, error) {
	return func(h *handler, c *call) (answer, error) {
		id, err := c.handle()
		if err != nil {
			return answer{}, err
		}
		said, err := read[verdict](c)
		if err != nil {
			return answer{}, err
		}
		return caseAnswer(h.desk.Judge(c.Context(), c.actor, id, kind, said.Reason))
	}
}

// token gives a token out. No other answer holds one.
func (h *handler) token(c *call) (answer, error) {
	id, err := c.handle()
	if err != nil {
		return answer{}, err
	}
	token, err := h.desk.Token(c.Context(), c.actor, id)
	if err != nil {
		return answer{}, err
	}
	return ok(portable{token.Reveal()}), nil
}

func (h *handler) importToken(c *call) (answer, error) {
	sent, err := read[portable](c)
	if err != nil {
		return answer{}, err
	}
	if sent.Token == "" {
		return answer{}, &inputError{"token: missing"}
	}
	token := operation.NewSecret(sent.Token)
	c.keepSecret(token)
	return caseAnswer(h.desk.Import(c.Context(), c.actor, token))
}

func (h *handler) usePlan(c *call) (answer, error) {
	sent, err := read[PlanUse](c)
	if err != nil {
		return answer{}, err
	}
	digest, ok := operation.ParsePlanRef(sent.Plan)
	switch {
	case sent.Token == "":
		return answer{}, &inputError{"token: missing"}
	case !ok:
		return answer{}, &inputError{"plan: not the canonical name of a Terraform plan, plan://sha256:DIGEST"}
	}
	token := operation.NewSecret(sent.Token)
	c.keepSecret(token)
	return caseAnswer(h.desk.UsePlan(c.Context(), c.actor, token, operation.PlanReference(digest), sent.Decision))
}

// decision shows a decision to who it was about: a refusal names what goes down
// with an object, which others may not be meant to see.
func (h *handler) decision(c *call) (answer, error) {
	if h.decisions == nil {
		return answer{}, breakglass.ErrNotFound
	}
	found, known := h.decisions.Recent(c.PathValue("id"))
	if !known || found.Actor.Name != c.actor.Name {
		return answer{}, breakglass.ErrNotFound
	}
	return ok(found), nil
}

func (h *handler) publicKeys(*call) (answer, error) {
	if h.keys == nil {
		return answer{}, breakglass.ErrNotFound
	}
	return answer{status: http.StatusOK, body: h.keys(), public: true}, nil
}

func (h *handler) describe(*call) (answer, error) {
	return answer{status: http.StatusOK, body: json.RawMessage(description), public: true}, nil
}
