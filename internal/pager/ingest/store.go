// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package ingest

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"golang.org/x/sync/errgroup"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/tools/events"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/log"

	"github.com/gophernetes/bellhop/api/pager/v1beta1"
	"github.com/gophernetes/bellhop/internal/kube/keyed"
	"github.com/gophernetes/bellhop/internal/pager/ingest/alertmanager"
	"github.com/gophernetes/bellhop/internal/pager/sourcerules"
	"github.com/gophernetes/bellhop/internal/panics"
)

const (
	// maxAttempts bounds how often a post is decided again, since another replica or a person wrote an Alert meanwhile.
	maxAttempts = 5
	// maxWrites bounds the writes of a post at the same time.
	maxWrites = 8
)

// Store makes Alerts of posts.
type Store struct {
	// Cache may be late; Live is not.
	Cache, Live client.Reader
	Client      client.Client
	Times       Times
	Recorder    events.EventRecorder

	// creating is for posts that create Alerts.
	creating keyed.Semaphores[types.NamespacedName]
	// large bounds the large posts that are decoded, or decided, at a time.
	large keyed.Semaphores[struct{}]
	// memory has the records of this process about posts.
	memory memory
	// late has the ends in the past that were posted.
	late lateEnds
}

// stored is the result of a post: how many Alerts it has written, and how many of its alerts fire for which there is no room.
type stored struct{ written, cut int }

// Put stores a post. Each error is an *answer.
func (s *Store) Put(ctx context.Context, source *v1beta1.AlertSource, post alertmanager.Post) (result stored, err error) {
	// Posts to the API are repeated within a minute, so that the cache is recent enough to decide from. A webhook may not be repeated for hours:
	// the Alerts are read from the API server.
	isLive := post.Group != nil
	if post.Group == nil {
		s.correctEnds(source, &post)
	}
	for range maxAttempts {
		plan, written, err := s.attempt(ctx, source, post, isLive)
		result.written += written
		_, isAnswer := errors.AsType[*answer](err)
		switch {
		case isAnswer:
			return result, err
		case IsConflict(err):
			isLive = true
			continue
		case err != nil:
			return result, s.refusal(ctx, source, err)
		case len(plan.Blocked) > 0:
			return result, busy("each name of the Alert of group %s is taken: delete Alerts that are not of this AlertSource, and let deletions end", plan.Blocked[0])
		}
		result.cut = plan.Cut
		s.record(ctx, source, plan, post.Group == nil && len(post.Alerts) > 0)
		return result, nil
	}
	return result, busy("others write the same Alerts")
}

// attempt decides about a post, and writes. Posts of a source that create Alerts do so one after the other, and each reads the Alerts that the others
// have created, at other replicas too: there are at most maxAlerts, however many groups are posted at once, and one Alert of a group.
func (s *Store) attempt(ctx context.Context, source *v1beta1.AlertSource, post alertmanager.Post, isLive bool) (plan sourcerules.Plan, written int, err error) {
	reader := s.Cache
	if isLive {
		reader = s.Live
	}
	plan, err = s.plan(ctx, source, post, reader)
	if err == nil && slices.ContainsFunc(plan.Writes, creates) {
		var end func()
		if end, err = s.beginToCreate(ctx, source); err != nil {
			return plan, 0, err
		}
		defer end()
		plan, err = s.plan(ctx, source, post, s.Live)
	}
	if err != nil {
		return plan, 0, err
	}
	written, err = Write(ctx, s.Client, plan.Writes)
	return plan, written, err
}

func creates(w sourcerules.Write) bool { return w.Present == nil }

// beginToCreate waits until no other post of a source creates Alerts, and returns a function that has the next one do so.
func (s *Store) beginToCreate(ctx context.Context, source *v1beta1.AlertSource) (end func(), err error) {
	if end, err = s.creating.Acquire(ctx, client.ObjectKeyFromObject(source), 1, 1); err != nil {
		return nil, busy("other posts to the AlertSource are stored")
	}
	return end, nil
}

// plan reads the Alerts of a source, and decides. The cache's Alerts are not copied, since a source has up to 1,000 and most posts change none:
// Receive leaves them as they are, and writes are copies.
func (s *Store) plan(ctx context.Context, source *v1beta1.AlertSource, post alertmanager.Post, reader client.Reader) (sourcerules.Plan, error) {
	in := sourcerules.Inputs{Source: source, Series: s.seriesOf(source)}
	if in.Now, in.ServedSince = s.Times.Now(); in.Now.IsZero() {
		return sourcerules.Plan{}, busy("the time of the API server is not known yet")
	}
	in.LastReceived = s.lastReceived(source, in.Now)
	var alerts v1beta1.AlertList
	if err := reader.List(ctx, &alerts, client.InNamespace(source.Namespace), client.MatchingLabels{v1beta1.AlertSourceLabel: source.Name}, client.UnsafeDisableDeepCopy); err != nil {
		return sourcerules.Plan{}, unreadable()
	}
	in.Alerts = alerts.Items
	for { // with each turn a name is known to be taken
		plan, err := s.receive(ctx, in, post)
		if err != nil {
			return sourcerules.Plan{}, err
		}
		others, err := s.othersNamed(ctx, plan.Writes)
		if err != nil || len(others) == 0 {
			return plan, err
		}
		in.Alerts = append(in.Alerts, others...)
	}
}

func unreadable() error { return busy("the Alerts cannot be read") }

func (s *Store) receive(ctx context.Context, in sourcerules.Inputs, post alertmanager.Post) (sourcerules.Plan, error) {
	if len(post.Alerts) > largePost {
		leave, err := s.enterLarge(ctx)
		if err != nil {
			return sourcerules.Plan{}, err
		}
		defer leave()
	}
	return sourcerules.Receive(in, post), nil
}

// enterLarge waits until no other large post is decoded or decided.
func (s *Store) enterLarge(ctx context.Context) (leave func(), err error) {
	if leave, err = s.large.Acquire(ctx, struct{}{}, 1, 1); err != nil {
		return nil, busy("other large posts are decoded")
	}
	return leave, nil
}

// othersNamed returns the Alerts that have the name of one that is to be created, and are not of the source, as the cache shows them: a create that
// it does not expect is a conflict.
func (s *Store) othersNamed(ctx context.Context, writes []sourcerules.Write) (others []v1beta1.Alert, err error) {
	for _, w := range writes {
		if !creates(w) {
			continue
		}
		var a v1beta1.Alert
		err := s.Cache.Get(ctx, client.ObjectKeyFromObject(w.Alert), &a)
		if apierrors.IsNotFound(err) {
			continue
		}
		if err != nil {
			return nil, unreadable()
		}
		others = append(others, a)
	}
	return others, nil
}

// Write writes Alerts, and returns how many were written, and an error: one that is no conflict, if there is any.
func Write(ctx context.Context, c client.Client, writes []sourcerules.Write) (written int, err error) {
	var group errgroup.Group
	group.SetLimit(maxWrites)
	results := make([]error, len(writes))
	for i, w := range writes {
		group.Go(func() error {
			results[i] = writeOne(ctx, c, w)
			return nil
		})
	}
	_ = group.Wait() // each has its result
	for _, result := range results {
		switch {
		case result == nil:
			written++
		case err == nil || IsConflict(err):
			err = result
		}
	}
	return written, err
}

// IsConflict reports whether another one has written, created or deleted the object.
func IsConflict(err error) bool {
	return apierrors.IsConflict(err) || apierrors.IsAlreadyExists(err) || apierrors.IsNotFound(err)
}

// writeOne runs in a goroutine of its own, where a panic would end the process.
func writeOne(ctx context.Context, c client.Client, w sourcerules.Write) (err error) {
	defer panics.Recover(ctx, panics.Cluster, "writing an Alert of a post", &err)
	if creates(w) {
		return c.Create(ctx, w.Alert.DeepCopy())
	}
	return c.Patch(ctx, w.Alert.DeepCopy(), client.MergeFromWithOptions(w.Present, client.MergeFromWithOptimisticLock{}))
}

// refusal is the answer to a post that the API server refused in part. The refusal may be temporary, as where an administrator raises a quota, and
// the sender must not drop the post.
func (s *Store) refusal(ctx context.Context, source *v1beta1.AlertSource, err error) error {
	log.FromContext(ctx).Info("The API server does not store the Alerts of a post", "namespace", source.Namespace, "alertSource", source.Name, "reason", fmt.Sprint(apierrors.ReasonForError(err)))
	if ctx.Err() != nil || errors.Is(err, context.DeadlineExceeded) {
		return busy("the Alerts were not stored within %s", requestTimeout)
	}
	return busy("the API server does not store the Alerts: %s", apierrors.ReasonForError(err))
}
