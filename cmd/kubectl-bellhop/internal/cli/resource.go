// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/watch"
	"k8s.io/cli-runtime/pkg/resource"
)

// Object is an object of a typed kind.
type Object interface {
	metav1.Object
	runtime.Object
}

// Client has the methods that generated clients of all kinds have in common: T is a pointer to the kind, L to its list.
type Client[T Object, L runtime.Object] interface {
	Get(ctx context.Context, name string, options metav1.GetOptions) (T, error)
	List(ctx context.Context, options metav1.ListOptions) (L, error)
	Watch(ctx context.Context, options metav1.ListOptions) (watch.Interface, error)
	Create(ctx context.Context, object T, options metav1.CreateOptions) (T, error)
	Patch(ctx context.Context, name string, kind types.PatchType, data []byte, options metav1.PatchOptions, subresources ...string) (T, error)
	Delete(ctx context.Context, name string, options metav1.DeleteOptions) error
}

// Get reads an object. Where it does not exist, the error names objects with similar names.
func Get[T Object, L runtime.Object](ctx context.Context, client Client[T, L], name string) (T, error) {
	object, err := client.Get(ctx, name, metav1.GetOptions{})
	if err == nil {
		return typed(object), nil
	}
	if !apierrors.IsNotFound(err) {
		return object, err
	}
	others, listErr := List(ctx, client, metav1.ListOptions{})
	if listErr != nil {
		return object, err
	}
	var names []string
	for _, o := range others {
		names = append(names, o.GetName())
	}
	return object, WithHint(err, "%s", Suggestion(name, names))
}

// DefaultChunkSize is how many objects a list requests at once, as kubectl does.
const DefaultChunkSize = 500

type chunkSizeKey struct{}

// WithChunkSize returns a context whose lists request this number of objects at once; 0: all.
func WithChunkSize(ctx context.Context, size int64) context.Context {
	return context.WithValue(ctx, chunkSizeKey{}, size)
}

// List reads all objects that the options select, in chunks.
func List[T Object, L runtime.Object](ctx context.Context, client Client[T, L], options metav1.ListOptions) ([]T, error) {
	objects, _, err := listChunks(ctx, client, options)
	return objects, err
}

// listChunks returns all objects, and the resource version of the list. If the list expires before its end, it is read again at once.
func listChunks[T Object, L runtime.Object](ctx context.Context, client Client[T, L], options metav1.ListOptions) (objects []T, version string, err error) {
	options.Limit = DefaultChunkSize
	if size, ok := ctx.Value(chunkSizeKey{}).(int64); ok {
		options.Limit = size
	}
	for {
		list, err := client.List(ctx, options)
		if apierrors.IsResourceExpired(err) && options.Continue != "" {
			objects, options.Limit, options.Continue = nil, 0, ""
			continue
		}
		if err != nil {
			return nil, "", err
		}
		chunk, err := itemsOf[T](list)
		if err != nil {
			return nil, "", err
		}
		accessor, err := meta.ListAccessor(list)
		if err != nil {
			return nil, "", err
		}
		if objects = append(objects, chunk...); accessor.GetContinue() == "" {
			return objects, accessor.GetResourceVersion(), nil
		}
		options.Continue = accessor.GetContinue()
	}
}

// itemsOf returns the objects of a list.
func itemsOf[T Object](list runtime.Object) ([]T, error) {
	items, err := meta.ExtractList(list)
	if err != nil {
		return nil, err
	}
	objects := make([]T, 0, len(items))
	for _, item := range items {
		objects = append(objects, typed(item.(T)))
	}
	return objects, nil
}

// typed sets kind and version of an object, which generated clients leave out.
func typed[T Object](object T) T {
	if gvks, _, err := Scheme.ObjectKinds(object); err == nil {
		object.GetObjectKind().SetGroupVersionKind(gvks[0])
	}
	return object
}

// Selection says which objects a command is about: by names, by --selector, or by the manifests in --filename.
type Selection struct {
	Selector      string
	Filenames     []string
	AllNamespaces bool
}

// AddFlags adds --selector and --filename.
func (s *Selection) AddFlags(cmd *cobra.Command) {
	cmd.Flags().StringVarP(&s.Selector, "selector", "l", "", "Label selector of the objects, such as app=orders")
	cmd.Flags().StringSliceVarP(&s.Filenames, "filename", "f", nil, "Files with manifests that name the objects; - is standard input")
}

// Select returns the objects of one kind that names or the flags select. Client returns the client of a namespace.
func Select[T Object, L runtime.Object](ctx context.Context, e *Environment, s *Selection, names []string, client func(namespace string) Client[T, L]) ([]T, error) {
	given := 0
	for _, is := range []bool{len(names) > 0, s.Selector != "", len(s.Filenames) > 0} {
		if is {
			given++
		}
	}
	if given != 1 {
		return nil, UsageError("name the objects in one way: by NAME, --selector or --filename")
	}
	namespace, err := e.Namespace()
	if err != nil {
		return nil, err
	}
	if s.Selector != "" {
		objects, err := List(ctx, client(namespace), metav1.ListOptions{LabelSelector: s.Selector})
		if err == nil && len(objects) == 0 {
			err = fmt.Errorf("no object in namespace %q has labels that match %q", namespace, s.Selector)
		}
		return objects, err
	}
	keys := make([]types.NamespacedName, 0, len(names))
	for _, name := range names {
		keys = append(keys, types.NamespacedName{Namespace: namespace, Name: name})
	}
	if len(s.Filenames) > 0 {
		manifests, err := ReadManifests[T](e, s.Filenames)
		if err != nil {
			return nil, err
		}
		for _, o := range manifests {
			keys = append(keys, types.NamespacedName{Namespace: o.GetNamespace(), Name: o.GetName()})
		}
	}
	var objects []T
	for _, key := range keys {
		object, err := Get(ctx, client(key.Namespace), key.Name)
		if err != nil {
			return nil, err
		}
		objects = append(objects, object)
	}
	return objects, nil
}

// ReadManifests returns the objects of the kind T in files, folders, URLs and - (standard input); other kinds are an error. A namespaced object
// without a namespace is put into the namespace of the command.
func ReadManifests[T Object](e *Environment, filenames []string) ([]T, error) {
	namespace, err := e.Namespace()
	if err != nil {
		return nil, err
	}
	builder := resource.NewLocalBuilder().Unstructured()
	isInput := func(filename string) bool { return filename == "-" }
	if slices.ContainsFunc(filenames, isInput) { // the builder itself would read standard input after Ctrl-C
		builder = builder.Stream(e.In, "standard input")
		filenames = slices.DeleteFunc(slices.Clone(filenames), isInput)
	}
	if len(filenames) > 0 {
		builder = builder.FilenameParam(false, &resource.FilenameOptions{Filenames: filenames})
	}
	infos, err := builder.Flatten().Do().Infos()
	if err != nil {
		return nil, err
	}
	var objects []T
	for _, info := range infos {
		object, err := toTyped[T](info.Object.(*unstructured.Unstructured))
		if err != nil {
			return nil, UsageError("%s: %v", info.Source, err)
		}
		if object.GetNamespace() == "" {
			object.SetNamespace(namespace)
		}
		objects = append(objects, object)
	}
	return objects, nil
}

// toTyped converts an object to T; another kind, and unknown fields, are errors.
func toTyped[T Object](u *unstructured.Unstructured) (T, error) {
	var none T
	created, err := Scheme.New(u.GroupVersionKind())
	if err != nil {
		return none, fmt.Errorf("%s of %s is no kind that this command knows", u.GetKind(), u.GetAPIVersion())
	}
	object, ok := created.(T)
	if !ok {
		return none, fmt.Errorf("%s of %s is not the kind that this command takes", u.GetKind(), u.GetAPIVersion())
	}
	if err := runtime.DefaultUnstructuredConverter.FromUnstructuredWithValidation(u.Object, object, true); err != nil {
		return none, err
	}
	return object, nil
}

// ResourceName is the name that kubectl prints for an object, such as alert.pager.k8s.co/disk-full.
func ResourceName(object Object) string {
	gvk := typed(object).GetObjectKind().GroupVersionKind()
	if gvk.Group == "" {
		return strings.ToLower(gvk.Kind) + "/" + object.GetName()
	}
	return strings.ToLower(gvk.Kind) + "." + gvk.Group + "/" + object.GetName()
}

// Names returns the sorted names of objects.
func Names[T Object](objects []T) []string {
	names := make([]string, 0, len(objects))
	for _, o := range objects {
		names = append(names, o.GetName())
	}
	slices.Sort(names)
	return names
}
