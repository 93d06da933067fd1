/*
Copyright The Bellhop Authors.

Licensed under the Apache License, Version 2.0 (the "License");
you may not use this file except in compliance with the License.
You may obtain a copy of the License at

    http://www.apache.org/licenses/LICENSE-2.0

Unless required by applicable law or agreed to in writing, software
distributed under the License is distributed on an "AS IS" BASIS,
WITHOUT WARRANTIES OR CONDITIONS OF ANY KIND, either express or implied.
See the License for the specific language governing permissions and
limitations under the License.
*/

package sweep

const (
	controllers = "controllers/servicecatalog/"
	pagers      = "controllers/pager/"
)

// variants are the mistakes that the sweep must find.
func variants() []variant {
	return []variant{
		{name: "status-first", edits: []mistake{{controllers + "instance_controller.go", `	var a answer
	queued, err`, `	if next.call.verb == provision {
		first = new(foldInstance(v.si, next.status, *next.call, answer{Outcome: osb.Outcome{Class: osb.Done}, created: true}, r.clock.Now()))
	}
	var a answer
	queued, err`}}, scenario: "kept", fault: "crash-before@PUT:service_instances#1", oracle: "truth",
			others: []string{"crash-after@PUT:service_instances#1+crash-before@2", "stale@PUT:service_instances#1<PUT:service_instances#1",
				"late@serviceinstances", "reset@PUT:service_instances#1", "deposed@PATCH:serviceinstances/db/status#1"}},
		{name: "release-on-202", edits: []mistake{{controllers + "decide_instance_fold_remove.go",
			`		f.accept(f.removing(verdict{reason: v1beta1.ReasonDeprovisioning, message: "The instance is being deprovisioned asynchronously"}))`,
			`		f.removed()`}}, scenario: "instance-async", fault: "none", oracle: "finalizer"},
		{name: "release-on-500", edits: []mistake{{controllers + "decide_instance_fold_remove.go",
			`	default:
		f.removalFailed("Deprovision call failed: " + f.words())
	}
}

// beginDeprovision`, `	default:
		f.removed()
	}
}

// beginDeprovision`}}, scenario: "instance", fault: "500@DELETE:service_instances#1", oracle: "finalizer"},
		{name: "lost-is-nothing", edits: []mistake{{"internal/osb/outcome.go", `	if e.reads() {
		return Retry
	}
	return Unknown
}`, `	return Retry
}`}}, scenario: "hasty", fault: "lost@PUT:service_instances#1", oracle: "finalizer"},
		{name: "id-used-again", edits: []mistake{{controllers + "decide_instance_fold_remove.go", `	s.ExternalID = nextInstanceID(f.si, f.call.id) // a late removal by a former leader may still arrive
`, ``}}, scenario: "instance-mitigated-ready", fault: "deposed@DELETE:service_instances#1", oracle: "truth"},
		{name: "no-mitigation", edits: []mistake{{controllers + "decide_instance_fold_remove.go", `	f.attempts().LastTime = timeOf(f.now)
	f.startMitigation(word{v1beta1.ReasonProvisionCallFailed, message})
`, `	f.repeatSlowly(v1beta1.ReasonProvisionCallFailed, message)
`}}, scenario: "failed", fault: "none", oracle: "reached"},
		{name: "no-undo", edits: []mistake{{controllers + "orphan.go", `	if !o.ours {
		return`, `	if o.ours {
		return`}}, scenario: "abandoned", fault: "none", oracle: "end"},
		{name: "fire-and-forget", edits: []mistake{{controllers + "reconciler.go", `	if err := kube.RemoveFinalizer(ctx, r.client, v.before.DeepCopyObject().(O), v1beta1.Finalizer); err != nil {
		return err
	}`, `	_ = kube.RemoveFinalizer(ctx, r.client, v.before.DeepCopyObject().(O), v1beta1.Finalizer)`}},
			scenario: "instance", fault: "api-unavailable@PATCH:serviceinstances/db#1", oracle: "reached",
			others: []string{"crash-after@PATCH:serviceinstances/db#1", "crash-after@PUT:service_instances#1+crash-before@1", "stale@PUT:service_instances#1<PUT:service_instances#1",
				"late@serviceinstances", "deposed@PATCH:serviceinstances/db/status#1"}},
		{name: "half-a-cache", edits: []mistake{{controllers + "reconciler.go", `	if err := r.overview.CatchUp(ctx); err != nil {
		return ctrl.Result{}, err
	}
`, ``}}, scenario: "binding-rebind-deleted", fault: "standby@PATCH:servicebindings/app/status#2<PATCH:secrets/login#1", oracle: "protocol"},
		{name: "half-a-cache-of-pages", edits: []mistake{{pagers + "alert_controller.go", `	if !next.release || v.certain {`, `	if true { // nor is anybody asked`}, {
			pagers + "alert_controller.go", `	if err := r.overview.CatchUp(ctx); err != nil {
		return ctrl.Result{}, err
	}
`, ``}}, scenario: "told-and-gone", fault: "standby@PATCH:alerts/page/status#1<PATCH:receivers/early/status#1", oracle: "end"},
		{name: "twice-over", edits: []mistake{{pagers + "alert_controller.go", `	if r.ledger.isReleased(before) { // it is gone, or another's finalizer holds it
		return ctrl.Result{}, nil
	}
`, ``}}, scenario: "alert-deleted-at-once", fault: "late@alerts", oracle: "once", byChance: true},
		{name: "stops-where-it-waits", edits: []mistake{{controllers + "decide_binding.go", `failed.Status == v1beta1.ConditionTrue && d.status.ReconciledGeneration > 0`, `failed.Status == v1beta1.ConditionTrue`}},
			scenario: "binding-plan", fault: "none", oracle: "asked"},
		{name: "takes-strangers", edits: []mistake{{controllers + "ids.go", `	return si.UID != "" && si.Status.CreatedForUID == si.UID && id == idOf(si) ||`, `	return id != "" ||`}}, scenario: "instance-stranger", fault: "none", oracle: "stranger"},
		{name: "key-per-attempt", edits: []mistake{{pagers + "act.go", `deliveryKey(alert, o.ref, o.sequence, o.hash),`, `deliveryKey(alert, o.ref, o.sequence, o.hash) + fmt.Sprint(o.attempt),`}},
			scenario: "alert", fault: "lost@POST:receiver:hook#1", oracle: "end"},
		{name: "key-per-process", edits: []mistake{{pagers + "act.go", `deliveryKey(alert, o.ref, o.sequence, o.hash),`, `deliveryKey(alert, o.ref, o.sequence, o.hash) + fmt.Sprint(os.Getpid()),`},
			{pagers + "act.go", `	"maps"
`, `	"maps"
	"os"
`}}, scenario: "alert", fault: "crash-after@POST:receiver:hook#1", oracle: "end"},
		{name: "repeats-what-may-have-arrived", edits: []mistake{{pagers + "decide.go", `	return row.TriedHash == hash && row.AnswerLost && isOnce(p)`, `	return false`}},
			scenario: "once", fault: "lost@POST:receiver:hook#1", oracle: "once"},
		{name: "no-intent", edits: []mistake{{pagers + "act.go", `	return intended, r.record(ctx, v, intended, decide(intended, w))`, `	return intended, nil`}}, scenario: "once", fault: "crash-after@POST:receiver:hook#1", oracle: "once"},
		{name: "no-lock", edits: []mistake{{"internal/kube/patch.go", `		{"test", "/metadata/resourceVersion", obj.GetResourceVersion()},
`, ``}, {"main.go", `		ctrl.Log.Error(err, "Bellhop ended")
`, `		time.Sleep(10 * time.Second) // who is deposed is slow to stop
		ctrl.Log.Error(err, "Bellhop ended")
`}},
			scenario: "once", fault: "deposed@PATCH:alerts/disk/status#1", oracle: "once",
			others: []string{"crash-after@POST:receiver:hook#1", "crash-after@POST:receiver:hook#1+crash-before@1", "stale@PATCH:alerts/disk/status#1<PATCH:alerts/disk/status#1",
				"late@alerts", "lost@POST:receiver:hook#1"}},
		{name: "unbind-before-secret", edits: []mistake{{controllers + "decide_binding_remove.go", `		d.deed = ejectSecret
`, `		d.unbind(id)
`}}, scenario: "binding", fault: "none", oracle: "secret"},
		{name: "old-credentials", edits: []mistake{{controllers + "binding_controller.go", `	version, err = r.secrets.Put(ctx, b, t.id, data)
`, `	data["password"] = []byte("old")
	version, err = r.secrets.Put(ctx, b, t.id, data)
`}}, scenario: "binding-kept", fault: "none", oracle: "secret"},
		{name: "words-as-they-are", edits: []mistake{{"internal/osb/outcome.go", `	return strings.TrimSpace(c.redactor.Clean(text, limit))`, `	return text`}},
			scenario: "hasty", fault: "500@PUT:service_instances#1", oracle: "canary"},
		{name: "password-in-log", edits: []mistake{{controllers + "connections.go", `	made, err := osb.NewClient(osb.Options{`, `	log.FromContext(ctx).Info("Connecting", "with", auth.Password)
	made, err := osb.NewClient(osb.Options{`}}, scenario: "kept", fault: "none", oracle: "canary"},
		{name: "hot-loop", edits: []mistake{{controllers + "instance_controller.go", `		return r.later(next.wake, &next.status), r.record(`, `		return r.atOnce(&next.status), r.record(`}},
			scenario: "kept", fault: "none", oracle: "rest"},
		{name: "writes-for-nothing", edits: []mistake{{controllers + "reconciler.go", `	if equality.Semantic.DeepEqual(status, *before) || v.polled`, `	if v.polled`},
			{controllers + "instance_controller.go", `		return r.later(next.wake, &next.status), r.record(`, `		return r.atOnce(&next.status), r.record(`}},
			scenario: "kept", fault: "none", oracle: "rest"},
		{name: "panic", edits: []mistake{{controllers + "decide_instance_fold_provision.go", `	case osb.Unknown, osb.Malformed:
		f.unsure("Provision"`, `	case osb.Unknown, osb.Malformed:
		panic(f.answer.Class)
		f.unsure("Provision"`}}, scenario: "kept", fault: "broken@PUT:service_instances#1", oracle: "panic"},
		{name: "changes-its-cache", edits: []mistake{{controllers + "reconciler.go", `	if v.known.released { // it is gone`, `	before.GetAnnotations()["seen"] = "now"
	if v.known.released { // it is gone`}}, scenario: "kept", fault: "none", oracle: "panic"},
		{name: "goroutine", edits: []mistake{{controllers + "reconciler.go", `	out, err := ask()
`, `	go func() { select {} }()
	out, err := ask()
`}}, scenario: "kept", fault: "none", oracle: "goroutine"},
		{name: "conflict-is-fine", edits: []mistake{{"internal/kube/patch.go", `	return staleOr(c.Patch(ctx, obj, patch))`, `	if err := staleOr(c.Patch(ctx, obj, patch)); !errors.Is(err, ErrStale) {
		return err
	}
	return nil`}}, scenario: "instance", fault: "api-conflict@PATCH:serviceinstances/db#1", oracle: "reached"},
		{name: "makes-anew-what-changes", edits: []mistake{{controllers + "decide_instance.go", `	case status.ProvisionStatus == v1beta1.Provisioned:
		d.update()`, `	case status.ProvisionStatus == v1beta1.Provisioned && si.Generation != status.ReconciledGeneration:
		d.deprovision()
	case status.ProvisionStatus == v1beta1.Provisioned:
		d.update()`}}, scenario: "instance", fault: "none", oracle: "in use"},
		{name: "no-id", edits: []mistake{{"internal/notify/webhook/sign.go", `	header.Set("Webhook-Id", id)
`, ``}}, scenario: "alert", fault: "none", oracle: "refused"},
		{name: "one-key", edits: []mistake{{pagers + "identity.go", `strconv.FormatInt(sequence, 10), hash)`, `strconv.FormatInt(0, 10))`}},
			scenario: "alert", fault: "none", oracle: "key"},
		{name: "what-only-one-process-knows", edits: []mistake{{pagers + "decide.go", `	return row.TriedHash == hash && row.AnswerLost && isOnce(p)
}
`, `	return row.TriedHash == hash && row.AnswerLost && isOnce(p) && (row.State != v1beta1.DeliveryUnknown || lostHere || row.Reason != v1beta1.ReasonOutcomeUnknown)
}

var lostHere bool
`}, {pagers + "decide.go", `	t.rest(v1beta1.DeliveryUnknown, v1beta1.ReasonOutcomeUnknown)
	t.phase, t.reason = stalled, v1beta1.ReasonOutcomeUnknown
`, `	lostHere = true
	t.rest(v1beta1.DeliveryUnknown, v1beta1.ReasonOutcomeUnknown)
	t.phase, t.reason = stalled, v1beta1.ReasonOutcomeUnknown
`}}, scenario: "once", fault: "crash-after@POST:receiver:hook#1+crash-after@PATCH:alerts/disk/status#1", oracle: "once",
			others: []string{"crash-after@POST:receiver:hook#1", "stale@PATCH:alerts/disk/status#1<PATCH:alerts/disk/status#1", "late@alerts", "lost@POST:receiver:hook#1", "deposed@PATCH:alerts/disk/status#2"}},
		{name: "any-of-the-name", edits: []mistake{{controllers + "ledger.go", `	if e == nil || e.uid != o.GetUID() {`, `	if e == nil {`}},
			scenario: "instance-anew", fault: "merge@serviceinstances/db#4", oracle: "reached",
			others: []string{"crash-after@PUT:service_instances#1", "crash-after@PUT:service_instances#1+crash-before@1", "stale@PUT:service_instances#1<PUT:service_instances#1",
				"reset@PUT:service_instances#1", "deposed@PATCH:serviceinstances/db/status#1"}},
		{name: "former-operation", edits: []mistake{{controllers + "decide_instance_fold.go", `	f.status.AsyncOpInProgress, f.status.LastOperation = true, nil
	if f.answer.operation != "" {`, `	f.status.AsyncOpInProgress = true
	if f.answer.operation != "" && f.status.LastOperation == nil {`}, {controllers + "decide_instance_fold.go", `	s.AsyncOpInProgress, s.LastOperation, s.OrphanMitigationInProgress = false, nil, false`, `	s.AsyncOpInProgress, s.OrphanMitigationInProgress = false, false`}},
			scenario: "instance-async", fault: "none", oracle: "protocol"},
		{name: "always-fresh", edits: []mistake{{"internal/kube/freshness.go", `	return order >= 0, nil`, `	return order == order, nil`}},
			scenario: "instance", fault: "stale@PATCH:serviceinstances/db#1<PATCH:serviceinstances/db/status#1", oracle: "recorded",
			others: []string{"crash-after@PATCH:serviceinstances/db#1", "crash-after@PUT:service_instances#1+crash-before@1", "late@serviceinstances",
				"500@PUT:service_instances#1", "deposed@PATCH:serviceinstances/db/status#1"}},
		{name: "own-writes-unseen", edits: []mistake{{"main.go", `			EnableReadYourWritesConsistency: new(true),`, `			EnableReadYourWritesConsistency: new(false),`}},
			scenario: "instance-async", fault: "late@serviceinstances", oracle: "protocol"},
	}
}
