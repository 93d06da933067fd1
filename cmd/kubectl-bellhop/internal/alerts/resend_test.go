// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package alerts

import (
	"bytes"
	"context"
	"errors"
	"net"
	"slices"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/cli-runtime/pkg/genericiooptions"

	"github.com/gophernetes/bellhop/api/pager/v1beta1"
	"github.com/gophernetes/bellhop/cmd/kubectl-bellhop/internal/cli"
)

// resendFrom runs resend with the Alerts in memory, and returns what it prints.
func resendFrom(ctx context.Context, t *testing.T, m *memory, r *resend, names ...string) (string, error) {
	t.Helper()
	var out bytes.Buffer
	r.e, r.write = cli.New(genericiooptions.IOStreams{Out: &out, ErrOut: &out}), cli.NewWriteFlags()
	r.dryRun, r.selection.state = "none", newState()
	err := r.resendAll(ctx, func(string) alertClient { return m }, "default", names)
	return out.String(), err
}

func selecting(selector string, unsent bool) *resend {
	return &resend{selection: list{selector: selector, unsent: unsent}}
}

// setTerminating deletes an Alert as the API server does while it has finalizers.
func setTerminating(alert *v1beta1.Alert) { alert.DeletionTimestamp = new(metav1.Now()) }

func setResolved(alert *v1beta1.Alert) { alert.Spec.State = v1beta1.AlertResolved }

// Of several Alerts, each is read when its turn comes.
func TestResendSkipsWhatWasChangedMeanwhile(t *testing.T) {
	for name, test := range map[string]struct {
		change  func(*memory)
		skipped string
		state   v1beta1.AlertState
	}{
		"resolved":      {func(m *memory) { m.edit("second", setResolved) }, "another client has set it to Resolved meanwhile", v1beta1.AlertResolved},
		"deleted":       {func(m *memory) { m.remove("second") }, deletedMeanwhile, ""},
		"being deleted": {func(m *memory) { m.edit("second", setTerminating) }, deletedMeanwhile, v1beta1.AlertFiring},
		"replaced":      {func(m *memory) { m.put(failedAlert("second")) }, deletedMeanwhile + ", and created again", v1beta1.AlertFiring},
		"relabelled": {func(m *memory) { m.edit("second", func(a *v1beta1.Alert) { a.Labels = nil }) },
			"its labels do not match --selector any more", v1beta1.AlertFiring},
		"sent": {func(m *memory) {
			m.edit("second", func(a *v1beta1.Alert) { a.Status.Conditions[0].Type = "Ready" })
		}, "its receivers have confirmed it meanwhile", v1beta1.AlertFiring},
	} {
		m := newMemory("first", "second", "third")
		m.after = func(request string) {
			if request == "patch first" && test.change != nil {
				test.change(m)
				test.change = nil
			}
		}
		out, err := resendFrom(t.Context(), t, m, selecting("app=orders", true))
		want := "alert.pager.k8s.co/first resent\nalert.pager.k8s.co/second skipped: " + test.skipped + "\nalert.pager.k8s.co/third resent\n"
		if err != nil || out != want {
			t.Errorf("%s: got %v, %q; want %q", name, err, out, want)
		}
		if slices.Contains(m.requests, "patch second") || m.state("second") != test.state {
			t.Errorf("%s: the Alert is %q after %q", name, m.state("second"), m.requests)
		}
	}
}

// Another client writes an Alert between its reading and its change.
func TestResendDoesNotUndoTheChangeOfAnother(t *testing.T) {
	for _, change := range []func(*memory){
		func(m *memory) { m.edit("disk", setResolved) },
		func(m *memory) {
			other := failedAlert("disk")
			setResolved(other)
			m.put(other)
		},
		func(m *memory) { m.remove("disk") },
	} {
		for _, r := range []*resend{{}, selecting("app=orders", false), selecting("", true)} {
			m, isDone := newMemory("disk"), false
			m.before = func(request string) error {
				if request == "patch disk" && !isDone {
					isDone = true
					change(m)
				}
				return nil
			}
			var names []string
			if !r.selects() {
				names = []string{"disk"}
			}
			out, err := resendFrom(t.Context(), t, m, r, names...)
			isSkipped := strings.Contains(out, "skipped: ")
			if (err == nil) != r.selects() || isSkipped != r.selects() || m.state("disk") == v1beta1.AlertFiring {
				t.Errorf("got %v, %q, and the Alert is %q", err, out, m.state("disk"))
			}
		}
	}
}

func TestResendContinuesAfterAConflictAboutTheStatus(t *testing.T) {
	m, isDone := newMemory("disk"), false
	m.before = func(request string) error {
		if request == "patch disk" && !isDone {
			isDone = true
			m.edit("disk", func(a *v1beta1.Alert) { a.Status.Receivers = "0/1" })
		}
		return nil
	}
	out, err := resendFrom(t.Context(), t, m, selecting("", true))
	if err != nil || out != "alert.pager.k8s.co/disk resent\n" {
		t.Errorf("got %v, %q", err, out)
	}
}

func TestResendSkipsNamesThatDoNotExist(t *testing.T) {
	m := newMemory("first", "third")
	out, err := resendFrom(t.Context(), t, m, &resend{}, "first", "second", "third")
	if want := "alert.pager.k8s.co/first resent\nalert.pager.k8s.co/third resent\n"; !apierrors.IsNotFound(err) || out != want {
		t.Errorf("got %v, %q; want %q", err, out, want)
	}
	m.before = func(string) error { return apierrors.NewUnauthorized("") }
	if _, err := resendFrom(t.Context(), t, m, &resend{}, "first", "second"); !apierrors.IsUnauthorized(err) || cli.Joined(err) != nil {
		t.Errorf("got %v", err)
	}
}

// What is over is fired only by its name.
func TestResendSelectsFiringAlerts(t *testing.T) {
	m := newMemory("over")
	m.edit("over", setResolved)
	if out, err := resendFrom(t.Context(), t, m, selecting("app=orders", false)); err != nil || out != "No Alerts found.\n" {
		t.Errorf("got %v, %q", err, out)
	}
	if out, err := resendFrom(t.Context(), t, m, &resend{}, "over"); err != nil || out != "alert.pager.k8s.co/over resent\n" {
		t.Errorf("got %v, %q", err, out)
	}
}

// An interrupt ends the command after the Alert that is being sent, and the errors of Alerts before it are printed.
func TestInterruptedResendOfSeveralAlerts(t *testing.T) {
	ctx, interrupt := context.WithCancel(t.Context())
	m, patches := newMemory("first", "second", "third", "fourth"), 0
	m.edit("first", func(a *v1beta1.Alert) { a.Status.Deliveries[0].State = v1beta1.DeliveryFiltered })
	m.before = func(request string) error {
		if request == "patch second" {
			if patches++; patches == 2 {
				interrupt()
			}
		}
		return nil
	}
	out, err := resendFrom(ctx, t, m, selecting("app=orders", false))
	var left []string
	for _, part := range cli.Joined(err) {
		if _, isLeft := errors.AsType[*cli.LeftError](part); isLeft {
			left = append(left, part.Error())
		}
	}
	want := []string{
		"alert.pager.k8s.co/first is not sent again: its severity was below the minSeverity of every receiver",
		"the command was interrupted before it sent 2 Alerts again",
	}
	if !slices.Equal(left, want) || !errors.Is(err, context.Canceled) || out != "alert.pager.k8s.co/second resent\n" || slices.Contains(m.requests, "patch third") {
		t.Errorf("got %q, want %q; %q after %q", left, want, out, m.requests)
	}
}

// Without the answer it would not be known whether the Alert has to be set to Firing.
func TestInterruptedResendLeavesTheAlertFiring(t *testing.T) {
	for patch := range 2 {
		ctx, interrupt := context.WithCancel(t.Context())
		m, patches := newMemory("disk"), 0
		m.before = func(request string) error {
			if request == "patch disk" {
				if patches == patch {
					interrupt()
				}
				patches++
			}
			return nil
		}
		_, err := resendFrom(ctx, t, m, &resend{}, "disk")
		m.carryOutLate()
		if patch == 0 && !errors.Is(err, context.Canceled) || patch == 1 && err != nil {
			t.Errorf("interrupted at write %d: %v", patch+1, err)
		}
		if patches != 2 || m.state("disk") != v1beta1.AlertFiring {
			t.Errorf("interrupted at write %d: the Alert is %s after %d writes", patch+1, m.state("disk"), patches)
		}
	}
}

// The request to set the Alert to Resolved may be carried out after the command has ended.
func TestResendSaysWhatItDoesNotKnow(t *testing.T) {
	m, isDone := newMemory("disk"), false
	m.before = func(request string) error {
		if request == "patch disk" && !isDone {
			isDone = true
			return apierrors.NewTimeoutError("the request did not complete within 10s", 0)
		}
		return nil
	}
	_, err := resendFrom(t.Context(), t, m, &resend{}, "disk")
	if _, isLeft := errors.AsType[*cli.LeftError](err); !isLeft || !strings.Contains(cli.HintOf(err), "may be Resolved; kubectl bellhop resend disk --namespace=default") {
		t.Errorf("got %v, hint %q", err, cli.HintOf(err))
	}
}

// A request to set the Alert to Firing may be carried out although its answer is lost.
func TestResendWhileTheServerIsUnavailable(t *testing.T) {
	for name, test := range map[string]struct {
		request     string
		nth, times  int
		unavailable error
		isDone      bool
		want        string
	}{
		"one GET":           {"get disk", 3, 1, apierrors.NewServiceUnavailable("restarting"), false, ""},
		"connections":       {"get disk", 3, 20, &net.OpError{Op: "dial", Net: "tcp", Err: syscall.ECONNREFUSED}, false, ""},
		"one PATCH":         {"patch disk", 2, 1, apierrors.NewTimeoutError("the request did not complete within 10s", 0), false, ""},
		"one lost answer":   {"patch disk", 2, 1, apierrors.NewTimeoutError("the request did not complete within 10s", 0), true, ""},
		"for a long time":   {"get disk", 3, 1000, apierrors.NewServiceUnavailable("restarting"), false, "restarting"},
		"without the right": {"get disk", 3, 1, apierrors.NewForbidden(v1beta1.Resource("alerts"), "", errors.New("no get")), false, "no get"},
	} {
		synctest.Test(t, func(t *testing.T) {
			m, requests := newMemory("disk"), 0
			m.before = func(request string) error {
				if request == test.request {
					requests++
				}
				if request != test.request || requests < test.nth || requests >= test.nth+test.times {
					return nil
				}
				if test.isDone {
					m.edit("disk", func(a *v1beta1.Alert) { a.Spec.State = v1beta1.AlertFiring })
				}
				return test.unavailable
			}
			out, err := resendFrom(t.Context(), t, m, &resend{}, "disk")
			if test.want != "" {
				if err == nil || !strings.Contains(err.Error(), test.want) || !strings.Contains(cli.HintOf(err), "may be Resolved") {
					t.Errorf("%s: got %v, hint %q", name, err, cli.HintOf(err))
				}
				return
			}
			if err != nil || out != "alert.pager.k8s.co/disk resent\n" || m.state("disk") != v1beta1.AlertFiring {
				t.Errorf("%s: got %v, %q, and the Alert is %s", name, err, out, m.state("disk"))
			}
		})
	}
}

// The receivers would be told that the Alert is over, and the command could not wait for that.
func TestResendWritesNothingWithoutTheRightToWait(t *testing.T) {
	for _, verb := range []string{"list", "watch"} {
		m := newMemory("disk")
		m.before = func(request string) error {
			if strings.HasPrefix(request, verb+" ") {
				return apierrors.NewForbidden(v1beta1.Resource("alerts"), "", errors.New("no "+verb))
			}
			return nil
		}
		_, err := resendFrom(t.Context(), t, m, &resend{}, "disk")
		if !apierrors.IsForbidden(err) || slices.Contains(m.requests, "patch disk") {
			t.Errorf("%s: got %v after %q", verb, err, m.requests)
		}
	}
}

// An Alert can be deleted once it is Resolved, by its ttlSecondsAfterFinished too. Another Alert of its name is left alone.
func TestResendOfAnAlertThatIsDeletedMeanwhile(t *testing.T) {
	for name, remove := range map[string]func(*memory){
		"deleted":       func(m *memory) { m.remove("disk") },
		"being deleted": func(m *memory) { m.edit("disk", setTerminating) },
		"replaced": func(m *memory) {
			other := failedAlert("disk")
			setResolved(other)
			m.put(other)
		},
	} {
		m, isDone := newMemory("disk"), false
		m.after = func(request string) {
			if request == "patch disk" && !isDone {
				isDone = true
				remove(m)
			}
		}
		_, err := resendFrom(t.Context(), t, m, &resend{}, "disk")
		if err == nil || !strings.Contains(err.Error(), "was deleted before it was set to Firing again") || !strings.Contains(cli.HintOf(err), "kubectl bellhop page") {
			t.Errorf("%s: got %v, hint %q", name, err, cli.HintOf(err))
		}
		if m.state("disk") == v1beta1.AlertFiring {
			t.Errorf("%s: it was set to Firing", name)
		}
	}
}

// afterResolve has another client edit the Alert disk once resend has set it to Resolved.
func (m *memory) afterResolve(edit func(*v1beta1.Alert)) {
	isDone := false
	m.after = func(request string) {
		if request == "patch disk" && !isDone {
			isDone = true
			m.edit("disk", edit)
		}
	}
}

// The operator records the end in the instances only, since the state is Resolved already. A later end would change nothing.
func TestResendOfAnAlertThatItsSenderEnds(t *testing.T) {
	for name, r := range map[string]*resend{"": selecting("", true), "disk": {}} {
		m := newMemory("disk")
		m.edit("disk", func(a *v1beta1.Alert) {
			a.Spec.Instances = []v1beta1.AlertInstance{{Key: "a"}, {Key: "b", EndsAt: new(metav1.Now())}}
		})
		m.afterResolve(func(a *v1beta1.Alert) { a.Spec.Instances[0].EndsAt = new(metav1.Now()) })
		out, err := resendFrom(t.Context(), t, m, r, strings.Fields(name)...)
		said := out
		if err != nil {
			said = err.Error()
		}
		if (err == nil) != r.selects() || !strings.Contains(said, "its sender has ended it meanwhile") || m.state("disk") != v1beta1.AlertResolved {
			t.Errorf("got %v, %q, and the Alert is %s", err, out, m.state("disk"))
		}
	}
}

// The operator records an instance that begins to fire as announced while the Alert is Resolved, and adds those that wait to the content.
func TestResendOfAnAlertThatGrows(t *testing.T) {
	m, ended := newMemory("disk"), new(metav1.Now())
	m.edit("disk", func(a *v1beta1.Alert) {
		a.Spec.Instances = []v1beta1.AlertInstance{{Key: "announced"}, {Key: "waited", Waiting: true}, {Key: "over", EndsAt: ended}}
	})
	m.afterResolve(func(a *v1beta1.Alert) {
		a.Spec.Instances = []v1beta1.AlertInstance{{Key: "announced"}, {Key: "waited"}, {Key: "over"}, {Key: "new"}, {Key: "short", EndsAt: ended}}
	})
	if out, err := resendFrom(t.Context(), t, m, &resend{}, "disk"); err != nil || out != "alert.pager.k8s.co/disk resent\n" {
		t.Errorf("got %v, %q", err, out)
	}
	var waiting []string
	for _, i := range m.alerts[0].Spec.Instances {
		if i.Waiting {
			waiting = append(waiting, i.Key)
		}
	}
	if want := []string{"waited", "over", "new"}; !slices.Equal(waiting, want) {
		t.Errorf("%q wait, want %q", waiting, want)
	}
}

// A person may have an Alert fire again that is over.
func TestResendOfAnAlertThatHasEnded(t *testing.T) {
	m := newMemory("disk")
	m.edit("disk", func(a *v1beta1.Alert) {
		setResolved(a)
		a.Spec.Instances = []v1beta1.AlertInstance{{Key: "a", EndsAt: new(metav1.Now())}}
	})
	if out, err := resendFrom(t.Context(), t, m, &resend{}, "disk"); err != nil || m.state("disk") != v1beta1.AlertFiring {
		t.Errorf("got %v, %q, and the Alert is %s", err, out, m.state("disk"))
	}
}
