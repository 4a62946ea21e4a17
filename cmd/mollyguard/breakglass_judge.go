package main

import (
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/mollyguard/mollyguard/breakglass"
	"github.com/mollyguard/mollyguard/operation"
)

func newApprove(c console) *cobra.Command {
	return newJudge(c, breakglass.Approve, "Approve somebody's request",
		`Approve somebody's request. What it is about is shown first: read it.

Nobody approves their own request, and only people approve.`)
}

func newDeny(c console) *cobra.Command {
	return newJudge(c, breakglass.Deny, "Deny a request, which ends it", "")
}

func newRevoke(c console) *cobra.Command {
	return newJudge(c, breakglass.Revoke, "Take back a grant, or one's own request", "")
}

func newJudge(c console, kind breakglass.VerdictKind, short, long string) *cobra.Command {
	var o connectOptions
	var out output
	var reason string
	cmd := &cobra.Command{
		Use:   string(kind) + " [flags] HANDLE",
		Short: short,
		Long:  long,
		Args:  handleArgument,
		RunE: func(cmd *cobra.Command, args []string) error {
			desk, err := o.open(cmd, c, out)
			if err != nil {
				return err
			}
			if kind == breakglass.Approve {
				v, err := desk.View(cmd.Context(), args[0])
				if err != nil {
					return deskError(err, args[0])
				}
				var l lines
				c.asked(&l, v.Case, desk.here)
				if err := l.write(c.err); err != nil {
					return err
				}
			}
			v, err := desk.Judge(cmd.Context(), args[0], kind, reason)
			if err != nil {
				return judgeError(cmd, desk, args[0], kind, err)
			}
			c.say("%s", c.judged(v, kind))
			return c.writeCase(out, v)
		},
	}
	o.flags(cmd)
	out.flag(cmd)
	cmd.Flags().StringVar(&reason, "reason", "", "`TEXT` for the record")
	return cmd
}

// judgeError is deskError for a verdict. Who may not revoke may be one who may
// deny, which ends a case as well.
func judgeError(cmd *cobra.Command, desk connection, handle string, kind breakglass.VerdictKind, refusal error) error {
	err := deskError(refusal, handle)
	var exit *exitError
	if kind != breakglass.Revoke || !errors.As(err, &exit) || exit.code != exitDenied || exit.hint == "" {
		return err
	}
	if v, err := desk.View(cmd.Context(), handle); err == nil && !v.Standing.State.Ended() {
		exit.hint += "; deny ends it too, for those who may approve"
	}
	return err
}

// judged says in one sentence what has come of a verdict.
func (c console) judged(v breakglass.View, kind breakglass.VerdictKind) string {
	s := v.Standing
	switch {
	case s.State == "":
		return fmt.Sprintf("%s: the server has not looked at it yet: show says what has come of it", v.ID())
	case s.State == breakglass.Denied || s.State == breakglass.Revoked:
		return fmt.Sprintf("%s: nobody can do anything with %s any more", s.State, v.ID())
	case kind != breakglass.Approve:
		break
	case s.State == breakglass.Active:
		return fmt.Sprintf("approved: %s can do it until %s, %s", shown(v.Subject()), c.clockTime(s.Until), times(s.Left))
	case s.State == breakglass.Scheduled:
		return fmt.Sprintf("approved: %s can do it from %s on, %s", shown(v.Subject()), c.clockTime(s.Until), times(s.Left))
	case s.State == breakglass.Pending && len(s.Approvers) < s.Needed:
		return fmt.Sprintf("%s, %s", operation.Printable(c.local(s.Why)), moreApprovals(s.Needed-len(s.Approvers)))
	}
	return fmt.Sprintf("%s: %s", c.state(s), operation.Printable(c.local(s.Why)))
}

func times(n int) string {
	if n == 1 {
		return "once"
	}
	return fmt.Sprintf("%d times", n)
}

func moreApprovals(n int) string {
	if n == 1 {
		return "one more approval is needed"
	}
	return fmt.Sprintf("%d more approvals are needed", n)
}
