// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package secrets

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/util/workqueue"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"
)

// server has Secrets, by namespace and name, with their resource versions.
type server struct {
	client.Reader // Get is the only method that is called

	versions map[types.NamespacedName]string
	err      error
	delay    time.Duration

	mu    sync.Mutex
	reads map[types.NamespacedName]int
}

// set sets the version of the login; "": it does not exist.
func (s *server) set(version string) {
	s.change(func() {
		if s.versions[login] = version; version == "" {
			delete(s.versions, login)
		}
	})
}

// count returns how often Secrets were read; without names, all.
func (s *server) count(of ...types.NamespacedName) (reads int) {
	s.change(func() {
		for name, n := range s.reads {
			if len(of) == 0 || slices.Contains(of, name) {
				reads += n
			}
		}
	})
	return reads
}

func (s *server) change(change func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	change()
}

func (s *server) Get(_ context.Context, name client.ObjectKey, obj client.Object, _ ...client.GetOption) error {
	s.mu.Lock()
	s.reads[name]++
	delay := s.delay
	s.mu.Unlock()
	time.Sleep(delay)
	s.mu.Lock()
	defer s.mu.Unlock()
	version, ok := s.versions[name]
	switch {
	case s.err != nil:
		return s.err
	case !ok:
		return apierrors.NewNotFound(schema.GroupResource{Resource: "secrets"}, name.Name)
	}
	*obj.(*metav1.PartialObjectMetadata) = metav1.PartialObjectMetadata{ObjectMeta: metav1.ObjectMeta{
		Namespace: name.Namespace, Name: name.Name, UID: "uid", ResourceVersion: version, Annotations: map[string]string{"has": "content"},
	}}
	return nil
}

// queue has what was added.
type queue struct {
	workqueue.TypedRateLimitingInterface[reconcile.Request]

	mu    sync.Mutex
	names []types.NamespacedName
}

func (q *queue) Add(r reconcile.Request) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.names = append(q.names, r.NamespacedName)
}

func (q *queue) added() []types.NamespacedName {
	q.mu.Lock()
	defer q.mu.Unlock()
	return slices.Clone(q.names)
}

var login = types.NamespacedName{Namespace: "shop", Name: "login"}

// bubble is a Polled that runs, in the time of a synctest.
type bubble struct {
	*Polled
	*testing.T

	api   *server
	queue *queue
}

func inBubble(t *testing.T, test func(b *bubble)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		b := &bubble{T: t, queue: &queue{}, api: &server{versions: map[types.NamespacedName]string{}, reads: map[types.NamespacedName]int{}}}
		b.Polled = NewPolled(nil, b.api)
		ofItself := func(_ context.Context, o client.Object) []reconcile.Request {
			return []reconcile.Request{{NamespacedName: client.ObjectKeyFromObject(o)}}
		}
		if err := b.Changes(ofItself).Start(t.Context(), b.queue); err != nil {
			t.Fatal(err)
		}
		ctx, stop := context.WithCancel(t.Context())
		go func() { _ = b.Start(ctx) }()
		test(b)
		stop()
		synctest.Wait()
	})
}

// shows returns the version that is shown of a Secret; none: it is shown not to exist.
func (b *bubble) shows(name types.NamespacedName) string {
	b.Helper()
	meta := newMetadata()
	err := b.Get(b.Context(), name, meta)
	if apierrors.IsNotFound(err) {
		return "none"
	}
	if err != nil {
		return err.Error()
	}
	if meta.Name != name.Name || meta.Namespace != name.Namespace || meta.UID != "uid" || meta.Annotations != nil {
		b.Errorf("shown is %v", meta.ObjectMeta)
	}
	return meta.ResourceVersion
}

func (b *bubble) want(what string, got, want any) {
	b.Helper()
	if got != want {
		b.Errorf("%s: %v, want %v", what, got, want)
	}
}

func wait(d time.Duration) {
	time.Sleep(d)
	synctest.Wait()
}

func TestASecretIsReadOnceAndAgainAfterTenMinutes(t *testing.T) {
	inBubble(t, func(b *bubble) {
		b.api.set("1")
		for range 3 {
			b.want("at first", b.shows(login), "1")
		}
		b.api.set("2")
		wait(refreshAfter - refreshAfter/10 - interval)
		b.want("remembered", b.shows(login), "1")
		b.want("reads", b.api.count(login), 1)
		b.want("controllers were told", len(b.queue.added()), 0)
		wait(refreshAfter/10 + 2*interval)
		b.want("read again", b.shows(login), "2")
		b.want("reads", b.api.count(login), 2)
		b.want("controllers were told", fmt.Sprint(b.queue.added()), fmt.Sprint([]types.NamespacedName{login}))

		b.api.set("")
		wait(refreshAfter + interval)
		b.want("deleted", b.shows(login), "none")
		b.want("controllers were told", len(b.queue.added()), 2)
	})
}

func TestAMissingSecretIsNoticedOnceItExists(t *testing.T) {
	inBubble(t, func(b *bubble) {
		b.want("at first", b.shows(login), "none")
		b.api.set("1")
		wait(firstRetry + interval)
		b.want("created", b.shows(login), "1")
		b.want("controllers were told", len(b.queue.added()), 1)
		b.api.set("")
		wait(refreshAfter + interval)

		before := b.api.count(login)
		wait(20 * time.Minute)
		if n := b.api.count(login) - before; n < 19 || n > 30 {
			b.Errorf("%d reads of a missing Secret in 20 minutes", n)
		}
		b.api.set("2")
		wait(lastRetry + interval)
		b.want("created again", b.shows(login), "2")
	})
}

func TestAFailureHasASecretReadAgain(t *testing.T) {
	inBubble(t, func(b *bubble) {
		b.api.set("1")
		b.shows(login)
		b.api.set("2")
		failed := time.Now().Add(-time.Second)
		b.ReadSoon(b.Context(), login, failed)
		wait(minInterval + interval)
		b.want("reads for a failure before the last read", b.api.count(login), 1)

		failed = time.Now()
		b.ReadSoon(b.Context(), login, failed)
		synctest.Wait()
		b.want("after a failure", b.shows(login), "2")
		b.want("controllers were told", len(b.queue.added()), 1)

		for range 60 {
			wait(time.Second)
			b.ReadSoon(b.Context(), login, time.Now())
		}
		if n := b.api.count(login); n < 11 || n > 15 {
			b.Errorf("%d reads for a failure each second of a minute", n)
		}
		b.ReadSoon(b.Context(), types.NamespacedName{Namespace: "shop", Name: "other"}, time.Now())
		synctest.Wait()
		b.want("reads of a Secret that no one has asked about", b.api.count(login), b.api.count())
	})
}

// A read that began before a failure may show what was replaced just before that.
func TestAReadThatBeganBeforeAFailureIsRepeated(t *testing.T) {
	inBubble(t, func(b *bubble) {
		b.api.set("1")
		b.api.change(func() { b.api.delay = 500 * time.Millisecond })
		began := time.Now()
		go b.shows(login)
		time.Sleep(100 * time.Millisecond)
		if isRead, err := b.ReadNow(b.Context(), login, time.Now()); isRead || !errors.Is(err, ErrBusy) {
			b.Errorf("the read that began before counts: %t, %v", isRead, err)
		}
		b.want("time of the wait", time.Since(began), 500*time.Millisecond)
		b.api.set("2")
		wait(minInterval + 2*interval)
		b.want("then", b.shows(login), "2")
	})
}

func TestAnUnknownTokenHasASecretReadNow(t *testing.T) {
	inBubble(t, func(b *bubble) {
		b.api.set("1")
		b.shows(login)
		wait(minInterval)
		b.api.set("2")
		if isRead, err := b.ReadNow(b.Context(), login, time.Now()); !isRead || err != nil {
			b.Errorf("it was not read: %t, %v", isRead, err)
		}
		b.want("then", b.shows(login), "2")
		reads := b.api.count(login)
		time.Sleep(time.Millisecond)
		for range 1000 {
			if isRead, err := b.ReadNow(b.Context(), login, time.Now()); isRead || !errors.Is(err, ErrBusy) {
				b.Fatalf("read again at once, or known to be up to date: %t, %v", isRead, err)
			}
		}
		b.want("reads for 1000 others", b.api.count(login)-reads, 0)
		wait(3 * minInterval)
		b.api.change(func() { b.api.delay = time.Minute })
		if _, err := b.ReadNow(b.Context(), login, time.Now()); !errors.Is(err, ErrBusy) {
			b.Errorf("%v while the API server hangs", err)
		}
		b.api.change(func() { b.api.delay = 0 })
		wait(2 * time.Minute)
	})
}

func TestAFailedReadIsToldAndRepeated(t *testing.T) {
	inBubble(t, func(b *bubble) {
		b.api.set("1")
		b.api.change(func() { b.api.err = errors.New("away") })
		for range 10 {
			b.want("while the API server is away", b.shows(login), "away")
		}
		b.want("reads", b.api.count(login), 1)
		wait(10 * time.Minute)
		b.api.change(func() { b.api.err = nil })
		wait(lastRetryOfFailure + interval)
		b.want("then", b.shows(login), "1")
		b.want("controllers were told", len(b.queue.added()), 1)

		b.api.change(func() { b.api.err = errors.New("away") })
		wait(refreshAfter + interval)
		b.want("what is known stays", b.shows(login), "1")
	})
}

// A caller does not wait for an API server that hangs, and the read that it has begun ends once.
func TestWhoAsksWaitsForASecond(t *testing.T) {
	inBubble(t, func(b *bubble) {
		b.api.set("1")
		b.api.change(func() { b.api.delay = 3 * time.Second })
		began := time.Now()
		b.want("while it hangs", b.shows(login), ErrBusy.Error())
		b.want("wait", time.Since(began), maxWait)
		wait(3 * time.Second)
		b.want("then", b.shows(login), "1")
		b.want("reads", b.api.count(login), 1)
	})
}

// What no one asks about is forgotten, and its dependents are told: those that still need it ask again.
func TestWhatNoOneAsksAboutIsForgotten(t *testing.T) {
	inBubble(t, func(b *bubble) {
		b.api.set("1")
		b.shows(login)
		wait(forgetAfter + interval)
		b.want("controllers were told", len(b.queue.added()), 1)
		b.locked(func() { b.want("namespaces that are known", len(b.namespaces), 0) })
		reads := b.api.count(login)
		wait(time.Hour)
		b.want("reads later", b.api.count(login)-reads, 0)
		b.api.set("2")
		b.want("asked about again", b.shows(login), "2")
	})
}

func TestANamespaceIsBounded(t *testing.T) {
	inBubble(t, func(b *bubble) {
		secret := func(namespace string, n int) types.NamespacedName {
			return types.NamespacedName{Namespace: namespace, Name: fmt.Sprint(n)}
		}
		for n := range maxKnown + 10 {
			b.shows(secret("many", n))
			time.Sleep(time.Millisecond)
		}
		b.locked(func() { b.want("remembered", len(b.namespaces["many"].secrets), maxKnown) })
		wait(lastRetry)
		before := b.api.count()
		wait(time.Minute)
		if n := b.api.count() - before; n > 60*maxRepeats/int(interval.Seconds()) {
			b.Errorf("%d reads of missing Secrets in a minute", n)
		}

		b.api.change(func() { b.api.delay = time.Minute })
		for n := range maxCallers {
			go b.shows(secret("hangs", n))
		}
		synctest.Wait()
		began := time.Now()
		b.want("one more", b.shows(secret("hangs", maxCallers)), ErrBusy.Error())
		b.want("wait of one more", time.Since(began), time.Duration(0))
		b.api.change(func() { b.api.delay = 0 })
		b.want("another namespace", b.shows(login), "none")
		wait(10 * time.Minute)
	})
}

func TestOfSeveralThatAreDueTheFirstAreRead(t *testing.T) {
	k := &known{secrets: map[string]*remembered{}}
	now := time.Unix(1000, 0)
	for n := range 2 * maxRepeats {
		k.secrets[fmt.Sprint(n)] = &remembered{asked: now, due: now.Add(-time.Duration(n) * time.Second)}
	}
	if got := k.due(now); len(got) != maxRoutine || !slices.Contains(got, fmt.Sprint(2*maxRepeats-1)) || slices.Contains(got, "0") {
		t.Errorf("due are %v", got)
	}
	for n := range maxRoutine - 1 {
		k.secrets[fmt.Sprint("exists-", n)] = &remembered{asked: now, due: now, version: version{uid: "uid"}}
	}
	if got := k.due(now); len(got) != maxRoutine || !slices.Contains(got, "exists-0") || !slices.Contains(got, fmt.Sprint(2*maxRepeats-1)) {
		t.Errorf("due beside missing ones are %v", got)
	}
	k.secrets["failed"] = &remembered{asked: now, due: now, failed: now}
	if got := k.due(now); len(got) != 1+maxRoutine || got[0] != "failed" {
		t.Errorf("due after a failure are %v", got)
	}
}

// A Secret that was forgotten for others is told, so that what waits for it asks again.
func TestAnEvictedSecretIsTold(t *testing.T) {
	inBubble(t, func(b *bubble) {
		b.want("at first", b.shows(login), "none")
		time.Sleep(time.Millisecond)
		for n := range maxKnown {
			b.shows(types.NamespacedName{Namespace: login.Namespace, Name: fmt.Sprint(n)})
		}
		wait(2 * interval)
		if !slices.Contains(b.queue.added(), login) {
			b.Error("what depends on it is not told")
		}
		b.api.set("1")
		b.want("asked about again", b.shows(login), "1")
	})
}

// The listener asks about a Secret with each post, and does not write the status of its AlertSource: that is told as well.
func TestAnEvictedSecretThatIsAskedAboutAgainIsTold(t *testing.T) {
	inBubble(t, func(b *bubble) {
		b.want("at first", b.shows(login), "none")
		time.Sleep(time.Millisecond)
		for n := range maxKnown {
			b.shows(types.NamespacedName{Namespace: login.Namespace, Name: fmt.Sprint(n)})
		}
		b.api.set("1")
		b.want("shown to another", b.shows(login), "1")
		wait(2 * interval)
		if !slices.Contains(b.queue.added(), login) {
			b.Error("what was shown none is not told")
		}
	})
}

// Many Secrets that are missing delay no credentials that were replaced.
func TestMissingSecretsDelayNoReplacedOnes(t *testing.T) {
	inBubble(t, func(b *bubble) {
		b.api.set("1")
		b.shows(login)
		for n := range 900 {
			b.shows(types.NamespacedName{Namespace: login.Namespace, Name: fmt.Sprint(n)})
		}
		wait(lastRetry)
		b.api.set("2")
		began := time.Now()
		for {
			if isRead, err := b.ReadNow(b.Context(), login, began); err == nil && isRead {
				break
			}
			time.Sleep(interval)
		}
		if took := time.Since(began); took > minInterval {
			b.Errorf("it was read after %s", took)
		}
	})
}

func TestAWithdrawnRightIsNoticed(t *testing.T) {
	inBubble(t, func(b *bubble) {
		b.api.set("1")
		b.shows(login)
		b.api.change(func() { b.api.err = apierrors.NewForbidden(schema.GroupResource{Resource: "secrets"}, "login", nil) })
		wait(refreshAfter)
		if shown := b.shows(login); shown == "1" || len(b.queue.added()) == 0 {
			b.Errorf("shown is %s, told were %v", shown, b.queue.added())
		}
		reads := b.api.count()
		wait(refreshAfter)
		if n := b.api.count() - reads; n > int(refreshAfter/lastRetry)+5 { // the first five follow each other faster
			b.Errorf("%d reads in %s", n, refreshAfter)
		}
		b.api.change(func() { b.api.err = nil })
		wait(lastRetry)
		b.want("permitted again", b.shows(login), "1")
	})
}

// cached is a cache that has everything but Secrets.
type cached struct{ client.Reader }

func (cached) Get(context.Context, client.ObjectKey, client.Object, ...client.GetOption) error {
	return errors.New("the cache was asked")
}

func TestOnlySecretsAreNotCached(t *testing.T) {
	namespace := &metav1.PartialObjectMetadata{TypeMeta: metav1.TypeMeta{APIVersion: "v1", Kind: "Namespace"}}
	api := &server{versions: map[types.NamespacedName]string{}, reads: map[types.NamespacedName]int{}}
	for _, r := range []client.Reader{NewPolled(cached{}, api), Assumed{cached{}}} {
		if err := r.Get(t.Context(), login, namespace); err == nil || err.Error() != "the cache was asked" {
			t.Errorf("%T: %v", r, err)
		}
	}
	if err := (Assumed{cached{}}).Get(t.Context(), login, newMetadata()); err != nil {
		t.Errorf("a Secret that is assumed to exist: %v", err)
	}
}
