// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"context"
	"errors"
	"fmt"
	"net"
	"time"

	"github.com/spf13/cobra"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/watch"
)

// WaitFlags are --wait and --timeout.
type WaitFlags struct {
	Wait    bool
	Timeout time.Duration
}

// AddFlags adds the flags; until is the end of the wait in help, such as "the alert is sent".
func (f *WaitFlags) AddFlags(cmd *cobra.Command, until string, timeout time.Duration) {
	cmd.Flags().BoolVar(&f.Wait, "wait", f.Wait, "Wait until "+until)
	cmd.Flags().DurationVar(&f.Timeout, "timeout", timeout, "How long --wait waits, such as 90s or 10m; 0: without end")
}

// Context ends after --timeout.
func (f *WaitFlags) Context(ctx context.Context) (context.Context, context.CancelFunc) {
	if f.Timeout <= 0 {
		return context.WithCancel(ctx)
	}
	return context.WithTimeout(ctx, f.Timeout)
}

// TimeoutError is of a wait that --timeout ended; state is the last that was seen.
func (f *WaitFlags) TimeoutError(object Object, goal, state string) error {
	namespace := ""
	if object.GetNamespace() != "" {
		namespace = " --namespace=" + object.GetNamespace()
	}
	return &Error{
		Code: ExitTimeout, Err: fmt.Errorf("%s is not %s after %s: %s", ResourceName(object), goal, f.Timeout, state),
		Hint: fmt.Sprintf("kubectl bellhop describe %s%s says what to do; the operator continues by itself, and --timeout waits longer", ResourceName(object), namespace),
	}
}

// Observer is called with the objects of a watch. Each function returns true to end the watch.
type Observer[T Object] struct {
	// Listed is called with all objects at the begin of the watch, and whenever it had to begin again.
	Listed func([]T) (bool, error)
	// Changed is called with each event after that.
	Changed func(watch.EventType, T) (bool, error)
}

// Watch watches objects until an observer's function returns true or an error, or the context ends. A watch that the API server ends
// is begun again. Of client-go's tools/watch, UntilWithSync repeats a list that the user may not make, and returns no error, and RetryWatcher ends
// where the version of a list is too old.
func Watch[T Object, L runtime.Object](ctx context.Context, client Client[T, L], options metav1.ListOptions, observer Observer[T]) error {
	for first := true; ; first = false {
		err := watchOnce(ctx, client, options, observer)
		switch {
		case err == nil:
			return nil
		case ctx.Err() != nil:
			return ctx.Err()
		case !isWatchEnd(err) && (first || !IsUnavailable(err)):
			return err
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(500 * time.Millisecond):
		}
	}
}

// errWatchEnded is of a watch that the API server closed.
var errWatchEnded = errors.New("the API server ended the watch")

// watchOnce lists and watches until the watch is closed.
func watchOnce[T Object, L runtime.Object](ctx context.Context, client Client[T, L], options metav1.ListOptions, observer Observer[T]) error {
	objects, version, err := listChunks(ctx, client, options)
	if err != nil {
		return err
	}
	if done, err := observer.Listed(objects); done || err != nil {
		return err
	}
	options.ResourceVersion = version
	watcher, err := client.Watch(ctx, options)
	if err != nil {
		return err
	}
	defer watcher.Stop()
	for event := range watcher.ResultChan() {
		if event.Type == watch.Error {
			return apierrors.FromObject(event.Object)
		}
		object, ok := event.Object.(T)
		if !ok {
			continue // a bookmark
		}
		if done, err := observer.Changed(event.Type, typed(object)); done || err != nil {
			return err
		}
	}
	return errWatchEnded
}

// WatchObject calls observe with each version of an object, the zero value when it does not exist, until observe returns true or an
// error, or the context ends.
func WatchObject[T Object, L runtime.Object](ctx context.Context, client Client[T, L], name string, observe func(T, bool) (bool, error)) error {
	var none T
	return Watch(ctx, client, optionsOf(name), Observer[T]{
		Listed: func(objects []T) (bool, error) {
			if len(objects) == 0 {
				return observe(none, false)
			}
			return observe(objects[0], true)
		},
		Changed: func(event watch.EventType, object T) (bool, error) {
			return observe(object, event != watch.Deleted)
		},
	})
}

// CheckWatch returns an error if an object cannot be watched, as without the right to do so.
func CheckWatch[T Object, L runtime.Object](ctx context.Context, client Client[T, L], name string) error {
	options := optionsOf(name)
	_, version, err := listChunks(ctx, client, options)
	if err != nil {
		return err
	}
	options.ResourceVersion = version
	watcher, err := client.Watch(ctx, options)
	if err == nil {
		watcher.Stop()
	}
	return err
}

// optionsOf select the object of a name.
func optionsOf(name string) metav1.ListOptions {
	return metav1.ListOptions{FieldSelector: fields.OneTermEqualSelector("metadata.name", name).String()}
}

// WaitReady waits until an object is ready. It fails once the object is stalled, was deleted, or the timeout has passed. Each change of state is
// written to progress. A state for which isCurrent is false is about an earlier request; nil: all states are current.
func WaitReady[T Object, L runtime.Object](ctx context.Context, e *Environment, f *WaitFlags, client Client[T, L], object T, isCurrent func(T) (bool, error)) (T, error) {
	ctx, cancel := f.Context(ctx)
	defer cancel()
	state, last, progress := "the operator has not looked at it", object, e.Progress()
	err := WatchObject(ctx, client, object.GetName(), func(seen T, exists bool) (bool, error) {
		if !exists || seen.GetUID() != object.GetUID() {
			return false, fmt.Errorf("%s was deleted while it was waited for", ResourceName(object))
		}
		last = seen
		health := HealthOf(seen)
		if now := health.String(); health.Observed && now != state {
			state = now
			fmt.Fprintf(progress, "%s: %s\n", ResourceName(seen), state)
		}
		if isCurrent != nil {
			if current, err := isCurrent(seen); err != nil || !current {
				return false, err
			}
		}
		if health.Stalled {
			return false, StalledError("%s cannot become ready without a change: %s", ResourceName(seen), health)
		}
		return health.Ready, nil
	})
	if errors.Is(err, context.DeadlineExceeded) {
		err = f.TimeoutError(object, "ready", state)
	}
	return last, err
}

// WaitGone waits until an object does not exist any more.
func WaitGone[T Object, L runtime.Object](ctx context.Context, e *Environment, f *WaitFlags, client Client[T, L], object T) error {
	ctx, cancel := f.Context(ctx)
	defer cancel()
	state, progress := "", e.Progress()
	err := WatchObject(ctx, client, object.GetName(), func(seen T, exists bool) (bool, error) {
		if !exists || seen.GetUID() != object.GetUID() {
			return true, nil
		}
		health := HealthOf(seen)
		if now := health.String(); now != state {
			state = now
			fmt.Fprintf(progress, "%s: %s\n", ResourceName(seen), state)
		}
		return false, nil
	})
	if errors.Is(err, context.DeadlineExceeded) {
		err = f.TimeoutError(object, "gone", state)
	}
	return err
}

func isWatchEnd(err error) bool {
	return errors.Is(err, errWatchEnded) || apierrors.IsResourceExpired(err) || apierrors.IsGone(err)
}

// IsUnavailable reports whether the API server could not be reached, or did not answer, as while it restarts.
func IsUnavailable(err error) bool {
	var network net.Error
	return errors.As(err, &network) || apierrors.IsServerTimeout(err) || apierrors.IsTimeout(err) || apierrors.IsTooManyRequests(err) ||
		apierrors.IsServiceUnavailable(err) || apierrors.IsInternalError(err)
}
