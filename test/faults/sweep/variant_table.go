// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package sweep

const (
	services       = "controllers/servicecatalog/"
	instanceRules  = "internal/servicecatalog/instancerules/"
	bindingRules   = "internal/servicecatalog/bindingrules/"
	operationRules = "internal/servicecatalog/operation/"
	alerts         = "controllers/pager/alert/"
	alertRules     = "internal/pager/alertrules/"
	messages       = "internal/pager/message/message.go"
	paging         = "controllers/pager/health/"
	pagingRules    = "internal/pager/healthrules/"
	sourceRules    = "internal/pager/sourcerules/"
	notifiers      = "internal/pager/notify/grpcnotifier/"
)

// variants are the mistakes that the sweep must find.
func variants() []variant {
	return []variant{
		{name: "status-first", edits: []mistake{{services + "instance/controller.go", `		step.Request = &s.next.Request.Request
`, `		step.Request = &s.next.Request.Request
		if step.Request.Operation == rules.Provision {
			step.Status = new(instancerules.Apply(s.instance, s.next.Status, *s.next.Request, operation.Answer{Outcome: osbresult.Outcome{Class: osbresult.Done}, Created: true}, s.r.Clock.Now()))
		}
`}, {services + "instance/controller.go", `	"github.com/gophernetes/bellhop/internal/servicecatalog/operation"
`, `	"github.com/gophernetes/bellhop/internal/servicecatalog/operation"
	"github.com/gophernetes/bellhop/internal/servicecatalog/osb/osbresult"
`}}, scenario: "kept", fault: "crash-before@PUT:service_instances#1", oracle: "truth",
			others: []string{"crash-after@PUT:service_instances#1+crash-before@2", "stale@PUT:service_instances#1<PUT:service_instances#1",
				"late@serviceinstances", "reset@PUT:service_instances#1", "deposed@PATCH:serviceinstances/db/status#1", "date-ahead-58s@PUT:service_instances#1", "neighbour-labels@PUT:service_instances#1"}},
		{name: "no-write-ahead", edits: []mistake{{services + "engine/record.go", `	if ahead != nil {
		if err := r.Record(ctx, s, ahead); err != nil {
			return err
		}
	}
`, ``}}, scenario: "instance-deleted-begun", fault: "crash-after@PUT:service_instances#1", oracle: "finalizer"},
		{name: "release-on-202", edits: []mistake{{instanceRules + "apply_remove.go",
			`	ap.recordAccepted(ap.withRemovalText(kind.Removal.Running))`,
			`	ap.recordRemoved()`}}, scenario: "instance-async", fault: "none", oracle: "finalizer"},
		{name: "release-on-500", edits: []mistake{{operationRules + "remove.go", `	default:
		return ap.removalFailed(message)
`, `	default:
		return ap.removed()
`}}, scenario: "instance", fault: "500@DELETE:service_instances#1", oracle: "finalizer"},
		{name: "lost-is-nothing", edits: []mistake{{"internal/servicecatalog/osb/outcome.go", `	if e.reads() {
		return osbresult.Retry
	}
	return osbresult.Unknown
}`, `	return osbresult.Retry
}`}}, scenario: "hasty", fault: "lost@PUT:service_instances#1", oracle: "finalizer"},
		{name: "id-used-again", edits: []mistake{{instanceRules + "apply_remove.go", `	ap.UseNextID()
	rules.RecordRemoval(`, `	rules.RecordRemoval(`}}, scenario: "instance-mitigated-ready", fault: "deposed@DELETE:service_instances#1", oracle: "truth"},
		{name: "no-mitigation", edits: []mistake{{instanceRules + "apply_provision.go", `	ap.Attempts().LastTime = times.Timestamp(ap.Now)
	ap.startMitigation(rules.Cause{Reason: v1beta1.ReasonProvisionCallFailed, Message: message})
`, `	ap.setConditions(ap.RetrySlowly(v1beta1.ReasonProvisionCallFailed, message))
`}}, scenario: "failed", fault: "none", oracle: "reached"},
		{name: "mitigates-the-next-id", edits: []mistake{{services + "instance/execute.go", `		removal, out := broker.Deprovision(ctx, osb.RemovalRequest{Params: params})
`, `		params.InstanceID = call.NextID
		removal, out := broker.Deprovision(ctx, osb.RemovalRequest{Params: params})
`}}, scenario: "instance-mitigated-ready", fault: "none", oracle: "orphan"},
		{name: "fire-and-forget", edits: []mistake{{services + "engine/record.go", `	if err := patch.RemoveFinalizer(ctx, r.Client, s.Before.WithOwnStatus(), v1beta1.Finalizer); err != nil {
		return err
	}`, `	_ = patch.RemoveFinalizer(ctx, r.Client, s.Before.WithOwnStatus(), v1beta1.Finalizer)`}},
			scenario: "instance", fault: "api-unavailable@PATCH:serviceinstances/db#1", oracle: "reached",
			others: []string{"crash-after@PATCH:serviceinstances/db#1", "crash-after@PUT:service_instances#1+crash-before@1", "stale@PUT:service_instances#1<PUT:service_instances#1",
				"late@serviceinstances", "deposed@PATCH:serviceinstances/db/status#1", "date-ahead-58s@PUT:service_instances#1", "neighbour-labels@PUT:service_instances#1"}},
		{name: "half-a-cache", edits: []mistake{{services + "engine/reconciler.go", `	if err := r.Barrier.WaitForSync(ctx); err != nil {
		return ctrl.Result{}, err
	}
`, ``}}, scenario: "binding-rebind-deleted", fault: "standby@PATCH:servicebindings/app/status#2<PATCH:secrets/login#1", oracle: "protocol"},
		{name: "half-a-cache-of-pages", edits: []mistake{{alerts + "controller.go", `	if next.Action != alertrules.Release || s.certain {`, `	if true { // nor is anybody asked`}, {
			alerts + "controller.go", `	if err := r.barrier.WaitForSync(ctx); err != nil {
		return nil, false, err
	}
`, ``}}, scenario: "told-and-gone", fault: "standby@PATCH:alerts/page/status#1<PATCH:receivers/early/status#1", oracle: "end"},
		{name: "twice-over", edits: []mistake{{alerts + "controller.go", ` || r.pending.isReleased(alert) {`, ` {`}}, scenario: "alert-gone-receiver-edited", fault: "late@alerts", oracle: "once"},
		{name: "stops-where-it-waits", edits: []mistake{{"internal/servicecatalog/bindingphase/phase.go", `isOriginal && s.Attempts == nil && s.ReconciledGeneration > 0 && rules.IsTrue(`, `(isOriginal || s.Attempts == nil) && rules.IsTrue(`}},
			scenario: "binding-plan", fault: "none", oracle: "asked"},
		{name: "takes-strangers", edits: []mistake{{"internal/servicecatalog/rules/ownership.go", `	return si.UID != "" && si.Status.CreatedForUID == si.UID && id == InstanceID(si) ||`, `	return id != "" ||`}, {
			operationRules + "effect.go", `		return ap.recordConflict()`, `		return Effect{Result: LeftOver, Message: ap.DescribeOutcome()}`}, {
			instanceRules + "apply_provision.go", `	case operation.NoEffect:
`, `	case operation.LeftOver:
		ap.startMitigation(rules.Cause{Reason: v1beta1.ReasonConflict, Message: effect.Message})
	case operation.NoEffect:
`}}, scenario: "instance-stranger", fault: "none", oracle: "stranger"},
		{name: "key-per-attempt", edits: []mistake{{messages, `alertrules.DeliveryKey(a, ref, r.Sequence, r.Hash),`, `alertrules.DeliveryKey(a, ref, r.Sequence, r.Hash) + fmt.Sprint(r.Attempt),`}},
			scenario: "alert", fault: "lost@POST:receiver:hook#1", oracle: "end"},
		{name: "key-per-process", edits: []mistake{{messages, `alertrules.DeliveryKey(a, ref, r.Sequence, r.Hash),`, `alertrules.DeliveryKey(a, ref, r.Sequence, r.Hash) + fmt.Sprint(os.Getpid()),`},
			{messages, `	"fmt"
`, `	"fmt"
	"os"
`}}, scenario: "alert", fault: "crash-after@POST:receiver:hook#1", oracle: "end"},
		{name: "repeats-what-may-have-arrived", edits: []mistake{{alertRules + "deliver.go", `	return row.LastAttemptedHash == hash && (row.AnswerLost && isAtMostOnce(t) || isUnconfirmed(row, t))`, `	return false`}},
			scenario: "once", fault: "lost@POST:receiver:hook#1", oracle: "once"},
		{name: "no-intent", edits: []mistake{{alerts + "execute.go", `	return intended, r.record(ctx, s, intended)`, `	return intended, nil`}}, scenario: "once", fault: "crash-after@POST:receiver:hook#1", oracle: "once"},
		{name: "no-lock", edits: []mistake{{"internal/kube/patch/patch.go", `		{"test", "/metadata/resourceVersion", obj.GetResourceVersion()},
`, ``}, {"main.go", `		ctrl.Log.Error(err, "Bellhop ended")
`, `		time.Sleep(10 * time.Second) // a deposed leader is slow to stop
		ctrl.Log.Error(err, "Bellhop ended")
`}, {"main.go", `	"runtime"
`, `	"runtime"
	"time"
`}},
			scenario: "once", fault: "deposed@PATCH:alerts/disk/status#1", oracle: "once",
			others: []string{"crash-after@POST:receiver:hook#1", "crash-after@POST:receiver:hook#1+crash-before@1", "stale@PATCH:alerts/disk/status#1<PATCH:alerts/disk/status#1",
				"late@alerts", "lost@POST:receiver:hook#1", "date-ahead-58s@POST:receiver:hook#1", "neighbour-labels@POST:receiver:hook#1"}},
		{name: "unbind-before-secret", edits: []mistake{{bindingRules + "remove.go", `		d.SecretAction = DeleteSecret
`, `		d.unbind(id)
`}}, scenario: "binding", fault: "none", oracle: "secret"},
		{name: "old-credentials", edits: []mistake{{services + "binding/controller.go", `	version, err = r.secrets.Put(ctx, b, received.BindingID, content)
`, `	content.Data["password"] = []byte("old")
	version, err = r.secrets.Put(ctx, b, received.BindingID, content)
`}}, scenario: "binding-kept", fault: "none", oracle: "secret"},
		{name: "words-as-they-are", edits: []mistake{{"internal/servicecatalog/osb/outcome.go", `	return strings.TrimSpace(c.redactor.Clean(text, limit))`, `	return text`}},
			scenario: "hasty", fault: "500@PUT:service_instances#1", oracle: "canary"},
		{name: "password-in-log", edits: []mistake{{"internal/servicecatalog/brokers/clients.go", `	made, err := osb.NewClient(osb.Options{`, `	log.FromContext(ctx).Info("Connecting", "with", auth.Password)
	made, err := osb.NewClient(osb.Options{`}}, scenario: "kept", fault: "none", oracle: "canary"},
		{name: "hot-loop", edits: []mistake{{services + "engine/run.go", `r.requeue(next.RequeueAt, next.Status), nil`, `r.requeueNow(next.Status), nil`}},
			scenario: "kept", fault: "none", oracle: "rest"},
		{name: "writes-for-nothing", edits: []mistake{{services + "engine/record.go", `	if equality.Semantic.DeepEqual(status, before) || s.polled`, `	if s.polled`},
			{services + "engine/run.go", `r.requeue(next.RequeueAt, next.Status), nil`, `r.requeueNow(next.Status), nil`}},
			scenario: "kept", fault: "none", oracle: "rest"},
		{name: "panic", edits: []mistake{{operationRules + "effect.go", `	case class == osbresult.Unknown, class == osbresult.Malformed:
`, `	case class == osbresult.Unknown, class == osbresult.Malformed:
		panic(class)
`}}, scenario: "kept", fault: "broken@PUT:service_instances#1", oracle: "panic"},
		{name: "changes-its-cache", edits: []mistake{{services + "engine/reconciler.go", `	if s.Memory.released { // it is gone`, `	before.GetAnnotations()["seen"] = "now"
	if s.Memory.released { // it is gone`}}, scenario: "kept", fault: "none", oracle: "panic"},
		{name: "warns-of-waiting", edits: []mistake{{"internal/servicecatalog/rules/reasons.go", `	v1beta1.ReasonReferencesNonexistentInstance: {Transient: true},`,
			`	v1beta1.ReasonReferencesNonexistentInstance: {Warning: true},`}}, scenario: "binding-first", fault: "none", oracle: "warning"},
		{name: "goroutine", edits: []mistake{{services + "engine/reconciler.go", `	if a, err = r.await(ctx, s, next.InFlight, ask); err != nil {
`, `	go func() { select {} }()
	if a, err = r.await(ctx, s, next.InFlight, ask); err != nil {
`}}, scenario: "kept", fault: "none", oracle: "goroutine"},
		{name: "conflict-is-fine", edits: []mistake{{"internal/kube/patch/patch.go", `	err = staleOr(c.Patch(ctx, obj, patch))
`, `	if err = staleOr(c.Patch(ctx, obj, patch)); errors.Is(err, ErrStale) {
		return nil
	}
`}}, scenario: "instance", fault: "api-conflict@PATCH:serviceinstances/db#1", oracle: "reached"},
		{name: "makes-anew-what-changes", edits: []mistake{{instanceRules + "decide.go", `	case IsProvisioned(&d.Status):
		d.update()`, `	case IsProvisioned(&d.Status) && d.si.Generation != d.Status.ReconciledGeneration:
		d.deprovision()
	case IsProvisioned(&d.Status):
		d.update()`}}, scenario: "instance", fault: "none", oracle: "in use"},
		{name: "no-id", edits: []mistake{{"internal/pager/notify/webhook/sign.go", `	header.Set("Webhook-Id", id)
`, ``}}, scenario: "alert", fault: "none", oracle: "refused"},
		{name: "one-key", edits: []mistake{{alertRules + "keys.go", `strconv.FormatInt(sequence, 10), hash)`, `strconv.FormatInt(0, 10))`}},
			scenario: "alert", fault: "none", oracle: "key"},
		{name: "key-per-call", edits: []mistake{{notifiers + "grpc.go", `		DeliveryKey: k.Delivery,`, `		DeliveryKey: k.Delivery + timestamppb.Now().String(),`}},
			scenario: "grpc-alert", fault: "lost@POST:receiver:hook#1", oracle: "end"},
		{name: "unavailable-is-final", edits: []mistake{{notifiers + "answer.go", `{"UNAVAILABLE", result.Unknown,`, `{"UNAVAILABLE", result.Permanent,`}},
			scenario: "grpc-alert-back-unseen", fault: "none", oracle: "reached"},
		{name: "joins-without-notice", edits: []mistake{{alertRules + "firing.go", ` && !d.rises(a) && !d.joins(a) {`, ` && !d.rises(a) {`}},
			scenario: "alert-joins", fault: "none", oracle: "reached"},
		{name: "tells-of-each-end", edits: []mistake{{alertRules + "table.go", `		case d.isKeptBack(a, t):
`, `		case d.isKeptBack(a, t) && false:
`}}, scenario: "alert-joins", fault: "none", oracle: "once"},
		{name: "expires-as-the-first-time", edits: []mistake{{alertRules + "spec.go", `	return firingSince(a, in).Add(`, `	return a.CreationTimestamp.Add(`}},
			scenario: "alert-again-expires", fault: "none", oracle: "reached"},
		{name: "what-only-one-process-knows", edits: []mistake{{alertRules + "deliver.go", `	return row.LastAttemptedHash == hash && (row.AnswerLost && isAtMostOnce(t) || isUnconfirmed(row, t))
}
`, `	return row.LastAttemptedHash == hash && (row.AnswerLost && isAtMostOnce(t) || isUnconfirmed(row, t)) && (row.State != v1beta1.DeliveryUnknown || lostHere || row.Reason != v1beta1.ReasonOutcomeUnknown)
}

var lostHere bool
`}, {alertRules + "deliver.go", `	d.settle(v1beta1.DeliveryUnknown, v1beta1.ReasonOutcomeUnknown)
	d.phase, d.reason = phaseBlocked, v1beta1.ReasonOutcomeUnknown
`, `	lostHere = true
	d.settle(v1beta1.DeliveryUnknown, v1beta1.ReasonOutcomeUnknown)
	d.phase, d.reason = phaseBlocked, v1beta1.ReasonOutcomeUnknown
`}, {alertRules + "outcome.go", `	row.Reason, row.Message = v1beta1.ReasonOutcomeUnknown, "the answer to the last attempt is not recorded"
`, `	lostHere = true
	row.Reason, row.Message = v1beta1.ReasonOutcomeUnknown, "the answer to the last attempt is not recorded"
`}}, scenario: "once", fault: "crash-after@POST:receiver:hook#1+crash-after@PATCH:alerts/disk/status#1", oracle: "once",
			others: []string{"crash-after@POST:receiver:hook#1", "stale@PATCH:alerts/disk/status#1<PATCH:alerts/disk/status#1", "late@alerts", "lost@POST:receiver:hook#1", "deposed@PATCH:alerts/disk/status#2", "date-ahead-58s@POST:receiver:hook#1", "neighbour-labels@POST:receiver:hook#1"}},
		{name: "any-of-the-name", edits: []mistake{{services + "engine/pending.go", `	if e == nil || e.uid != o.GetUID() {`, `	if e == nil {`}},
			scenario: "instance-anew", fault: "merge@serviceinstances/db#5", oracle: "reached",
			others: []string{"crash-after@PUT:service_instances#1", "crash-after@PUT:service_instances#1+crash-before@1", "stale@PUT:service_instances#1<PUT:service_instances#1",
				"reset@PUT:service_instances#1", "deposed@PATCH:serviceinstances/db/status#1", "date-ahead-58s@PUT:service_instances#1", "neighbour-labels@PUT:service_instances#1"}},
		{name: "former-operation", edits: []mistake{{operationRules + "apply.go", `	if ap.Common.LastOperation = nil; ap.Answer.Operation != "" {`, `	if ap.Answer.Operation != "" && ap.Common.LastOperation == nil {`}, {instanceRules + "phase.go", `	if !p.Accepted {
		s.LastOperation = nil
	}
`, ``}},
			scenario: "instance-async", fault: "none", oracle: "protocol"},
		{name: "always-fresh", edits: []mistake{{"internal/kube/consistency/freshness.go", `	return order >= 0, nil`, `	return order == order, nil`}},
			scenario: "instance", fault: "stale@PATCH:serviceinstances/db#1<PATCH:serviceinstances/db/status#2", oracle: "recorded",
			others: []string{"crash-after@PATCH:serviceinstances/db#1", "crash-after@PUT:service_instances#1+crash-before@1", "late@serviceinstances",
				"500@PUT:service_instances#1", "deposed@PATCH:serviceinstances/db/status#1", "date-ahead-58s@PUT:service_instances#1", "neighbour-labels@PUT:service_instances#1"}},
		{name: "own-writes-unseen", edits: []mistake{{"internal/kube/patch/patch.go", `	return staleOr(c.Status().Patch(ctx, obj, patch))`, `	err = c.Status().Patch(ctx, obj, patch, client.DisableReadYourWritesConsistency)
	time.Sleep(300 * time.Millisecond)
	return staleOr(err)`}, {"internal/kube/patch/patch.go", `	"slices"
`, `	"slices"
	"time"
`}},
			scenario: "instance-async", fault: "late@serviceinstances", oracle: "protocol"},
		{name: "pages-without-consent", edits: []mistake{{paging + "observe.go", `	in.Ask, in.Asks = ask, asks && consents`, `	in.Ask, in.Asks = ask, asks`}}, scenario: "page-consent-withdrawn", fault: "none", oracle: "unasked"},
		{name: "pages-from-the-cache", edits: []mistake{{paging + "controller.go", `	s, err := r.observe(ctx, r.live, cached.req, found)`, `	s, err := r.observe(ctx, r.client, cached.req, found)`}}, scenario: "page-consent-withdrawn", fault: "late@namespaces", oracle: "unasked"},
		{name: "pages-late", edits: []mistake{{paging + "controller.go", `	alert.WithResourceVersion(absent)
	if observed != nil {
		alert.WithResourceVersion(observed.ResourceVersion)
	}
`, ``}}, scenario: "page-label-removed", fault: "deposed@PATCH:alerts/deployment-orders#1", oracle: "end"},
		{name: "forgets-the-label", edits: []mistake{{paging + "observe.go", `	if s.alert == nil && s.object == nil {`, `	if s.object == nil {`}},
			scenario: "page-label-removed", fault: "none", oracle: "reached"},
		{name: "pages-in-a-loop", edits: []mistake{{paging + "controller.go", `	if at.IsZero() {
		return ctrl.Result{}
	}
`, ``}}, scenario: "page-label-removed", fault: "none", oracle: "rest"},
		{name: "undoes-a-resolve", edits: []mistake{{pagingRules + "decide.go", `	if in.isResolvedByPerson(r) || in.isOfFormerJob(r, due, now) {
		return Keep, r.Again
	}
`, ``}}, scenario: "page-resolved", fault: "none", oracle: "reached"},
		{name: "loses-its-object", edits: []mistake{{paging + "request.go", `	if req.Kind, req.Name, ok = strings.Cut(alert.Annotations[v1beta1.PagedObjectAnnotation], "/"); !ok {`,
			`	if req.Kind, req.Name, ok = strings.Cut("", "/"); !ok {`}}, scenario: "page-orphaned", fault: "none", oracle: "reached"},
		{name: "takes-the-former-name", edits: []mistake{{paging + "alert.go", `	_, _ = hash.Write([]byte(uid)) // never fails
`, ``}}, scenario: "page-replaced", fault: "none", oracle: "reached|end"},
		{name: "recovers-by-deletion", edits: []mistake{{pagingRules + "decide.go", `	if !hasSucceeded && (in.IsGone || in.Asks) {`, `	if !hasSucceeded && in.Asks {`},
			{paging + "objects.go", `			all.deleted.add(req, o)
`, ``}}, scenario: "page-job-deleted", fault: "none", oracle: "reached"},
		{name: "name-per-process", edits: []mistake{{sourceRules + "groups.go", `hash(labels, "group", kind, receiver)`, `hash(labels, "group", kind, receiver, strconv.Itoa(os.Getpid()))`},
			{sourceRules + "groups.go", `	"math"
`, `	"math"
	"os"
`}, {sourceRules + "groups.go", `	"strings"
`, `	"strconv"
	"strings"
`}}, scenario: "source-replicas", fault: "none", oracle: "notified"},
		{name: "text-of-each-post", edits: []mistake{{sourceRules + "instances.go", `	isSame := i.PreviousEndsAt == nil`, `	if i.Text != p.Text() {
		i.Text, i.Waiting = p.Text(), true
	}
	isSame := i.PreviousEndsAt == nil`}}, scenario: "source-lapses", fault: "none", oracle: "notified"},
		{name: "joins-at-once", edits: []mistake{{sourceRules + "decide.go", `bool { return !d.in.Now.Before(d.joinDue()) }`, `bool { return true }`}},
			scenario: "source-grows", fault: "none", oracle: "joined"},
		{name: "notifies-of-ends", edits: []mistake{{sourceRules + "decide.go", `		d.setContent()
		d.change = Edits
`, `		d.setContent()
		d.desired.Spec.JoinedTime = times.Timestamp(d.in.Now)
`}}, scenario: "source-grows", fault: "none", oracle: "notified"},
		{name: "older-word", edits: []mistake{{sourceRules + "instances.go", `	return a.StartsAt.IsZero() || !a.StartsAt.Before(i.StartsAt.Time) || !at.Before(i.StartsAt.Time)`, `	return true`}},
			scenario: "source", fault: "none", oracle: "ended"},
		{name: "no-end-is-an-end", edits: []mistake{{sourceRules + "groups.go", `	return a.EndsAt.IsZero() || a.EndsAt.After(`, `	return a.EndsAt.After(`}},
			scenario: "source-lapses", fault: "none", oracle: "reached"},
		{name: "lapses-unheard", edits: []mistake{{sourceRules + "unreported.go", `lastPost(i, in).After(lapseDue(i, in))`, `in.Now.After(lapseDue(i, in))`}},
			scenario: "source-lapses", fault: "none", oracle: "ended"},
		{name: "stores-later", edits: []mistake{{"internal/pager/ingest/store.go", `	written, err = Write(ctx, s.Client, plan.Writes)
`, `	go func(ctx context.Context) {
		time.Sleep(time.Second)
		_, _ = Write(ctx, s.Client, plan.Writes)
	}(context.WithoutCancel(ctx))
	written = len(plan.Writes)
`}, {"internal/pager/ingest/store.go", `	"fmt"
`, `	"fmt"
	"time"
`}}, scenario: "source-webhook", fault: "none", oracle: "answer"},
		{name: "conflict-is-stored", edits: []mistake{{"internal/pager/ingest/store.go", `			isLive = true
			continue
`, `			return result, nil
`}}, scenario: "source-webhook", fault: "api-conflict@POST:alerts/prom-4b247283d062cf61#1", oracle: "answer"},
		{name: "overrules-a-person", edits: []mistake{{sourceRules + "decide.go", `	isHeld := count(d.before, isAnnounced) > 0
`, `	isHeld := false
`}}, scenario: "source-resolved-by-person", fault: "none", oracle: "notified"},
		{name: "drops-what-is-too-many", edits: []mistake{{sourceRules + "special.go", `	if more.severity(p.in.Now) != "" || p.has(more.name) {`, `	if p.has(more.name) {`}},
			scenario: "source-many", fault: "none", oracle: "reached"},
		{name: "leaves-orphans", edits: []mistake{{"controllers/pager/alertsource/controller.go", `		return ctrl.Result{}, r.write(ctx, sourcerules.Orphan(alerts))`, `		return ctrl.Result{}, nil`}},
			scenario: "source-deleted", fault: "none", oracle: "reached"},
		// F-P28
		{name: "expires-by-its-clock", edits: []mistake{{alertRules + "inputs.go", `	return !in.Server.Known.IsZero() && !in.Server.Known.Before(t)
`, `	return !in.Now.Before(t)
`}}, scenario: "alert-endures", fault: "clock-ahead-1h@POST:receiver:hook#1", oracle: "end|reached",
			others: []string{"crash-after@POST:receiver:hook#1", "crash-after@POST:receiver:hook#1+crash-before@1", "stale@PATCH:alerts/disk/status#1<PATCH:alerts/disk/status#1",
				"late@alerts", "lost@POST:receiver:hook#1", "deposed@PATCH:alerts/disk/status#1", "neighbour-labels@POST:receiver:hook#1"}},
		// F-P33
		{name: "waits-a-day", edits: []mistake{{alertRules + "inputs.go", ` && !times.IsAhead(lastAttempt(row), in.Now)`, ` && !times.IsAhead(in.Now, in.Now)`}, {
			alertRules + "inputs.go", ` || in.isRecovered(row) || isThrottled`, ` || isThrottled`}},
			scenario: "alert-endures", fault: "restart-ahead-1d@POST:receiver:hook#1", oracle: "reached"},
		{name: "takes-no-date-for-late", edits: []mistake{{alertRules + "inputs.go", `	return !in.Server.Known.IsZero() && !in.Server.Known.Before(t)
`, `	return in.Server.Known.IsZero() || !in.Server.Known.Before(t)
`}}, scenario: "alert-endures", fault: "start-date-missing@PATCH:alerts/disk/status#1", oracle: "end|reached"},
		// F-S26
		{name: "revokes-by-its-clock", edits: []mistake{
			{bindingRules + "overlap.go", `in.Overlaps[p.ID]; ok {`, `in.Overlaps[""]; ok {`},
			{bindingRules + "overlap.go", `times.Earliest(in.Now, in.Server.Steady)`, `in.Now`},
		}, scenario: "binding-overlap", fault: "clock-ahead-1h@PUT:service_instances/service_bindings#3", oracle: "end"},
		{name: "believes-the-first-date", edits: []mistake{{bindingRules + "overlap.go", `times.Earliest(in.Now, in.Server.Steady)`, `in.Server.Steady`}},
			scenario: "binding-overlap", fault: "start-date-ahead-1h@PUT:service_instances/service_bindings#3", oracle: "end|reached|in use"},
		// F-S33
		{name: "renews-a-day-late", edits: []mistake{
			{bindingRules + "validity.go", `return end.Sub(t) > shortestLifetime }`, `return true }`},
			{bindingRules + "validity.go", `; times.IsAhead(seen.Recorded, present) {`, `; false {`},
		}, scenario: "binding-renewed", fault: "restart-ahead-1d@PUT:service_instances/service_bindings#1", oracle: "reached"},
		{name: "writes-for-each-event", edits: []mistake{{services + "engine/record.go", `	if equality.Semantic.DeepEqual(status, before) || s.polled && `, `	if s.polled && `}},
			scenario: "kept", fault: "neighbour-labels@PUT:service_instances#1", oracle: "rest",
			others: []string{"crash-after@PUT:service_instances#1", "crash-after@PUT:service_instances#1+crash-before@1", "stale@PUT:service_instances#1<PUT:service_instances#1",
				"late@serviceinstances", "500@PUT:service_instances#1", "deposed@PATCH:serviceinstances/db/status#1", "date-ahead-58s@PUT:service_instances#1"}},
		{name: "drops-a-refused-status", edits: []mistake{{services + "engine/record.go", `	if err := patch.Status(ctx, r.Client, after, status); err != nil {
`, `	if err := patch.Status(ctx, r.Client, after, status); err != nil && !strings.Contains(err.Error(), "denied request") {
`}, {services + "engine/record.go", `	"errors"
`, `	"errors"
	"strings"
`}}, scenario: "kept", fault: "refused-status@PATCH:serviceinstances/db/status#2", oracle: "reached|end"},
		{name: "hides-a-refused-Secret", edits: []mistake{{services + "binding/controller.go", `errors.New("The credentials cannot be put into the Secret: "+text)`, `errors.New("The credentials cannot be put into the Secret")`}, {
			services + "binding/controller.go", `errors.New("The credentials cannot be put into the Secret: "+credentials.Message(err))`, `errors.New("The credentials cannot be put into the Secret")`}},
			scenario: "binding", fault: "refused-secrets@POST:secrets/app#1", oracle: "mention"},
		{name: "drops-a-refused-release", edits: []mistake{{services + "engine/record.go", `	if err := patch.RemoveFinalizer(ctx, r.Client, s.Before.WithOwnStatus(), v1beta1.Finalizer); err != nil {
		return err
	}`, `	_ = patch.RemoveFinalizer(ctx, r.Client, s.Before.WithOwnStatus(), v1beta1.Finalizer)`}},
			scenario: "instance", fault: "refused-finalizers@PATCH:serviceinstances/db#1", oracle: "reached|mention"},
		{name: "believes-a-jump", edits: []mistake{{"internal/kube/apiserver/clock.go", "\tmaxJump = time.Minute\n", "\tmaxJump = 1000 * time.Hour\n"}},
			scenario: "alert-endures", fault: "date-ahead-1h-briefly@POST:receiver:hook#1", oracle: "end|reached"},
		{name: "trusts-an-old-lease", edits: []mistake{{"internal/kube/leadership/leadership.go", `!l.Clock.Now().Before(now.until)`, `now.until.IsZero()`}, {
			"internal/operator/lock.go", `	if err == nil && l.isLeading && own.HolderIdentity != l.Identity() {`, `	if false {`}},
			scenario: "binding-secret-lost-rotated", fault: "stopped-leader@PUT:service_instances/service_bindings#1", oracle: "end|reached|orphan"},
		// F-P67
		{name: "leaves-without-a-word", edits: []mistake{{alertRules + "table.go", `		case holding != HoldsNothing && !t.isGone() && inTime:
`, `		case holding == MayHold && !t.isGone() && inTime:
`}}, scenario: "alert", fault: "namespace-deleted@PATCH:alerts/disk/status#2", oracle: "resolved"},
		{name: "forgets-a-refused-result", edits: []mistake{{services + "engine/record.go", `	if err := patch.Status(ctx, r.Client, after, status); err != nil {
`, `	if err := patch.Status(ctx, r.Client, after, status); err != nil {
		s.Memory.PendingStatus, s.Memory.Unrecorded = nil, nil
`}}, scenario: "instance", fault: "refused-status@PUT:service_instances#1", oracle: "repeats"},
	}
}
