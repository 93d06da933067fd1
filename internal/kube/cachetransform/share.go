// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package cachetransform

import (
	"hash/maphash"
	"reflect"
	"sync"

	"k8s.io/client-go/tools/cache"
)

// Share returns a transform that applies strip and then lets the objects of all caches share equal parts, see sharer.
func Share(strip cache.TransformFunc) cache.TransformFunc {
	s := newSharer()
	return func(obj any) (any, error) {
		obj, err := strip(obj)
		if err == nil {
			s.share(obj)
		}
		return obj, err
	}
}

const (
	// slots is how many texts, and how many other parts, a sharer keeps. A slot keeps the last one that was seen, so that parts of many objects stay.
	slots = 1 << 12
	// maxText and maxPart are the sizes up to which a text and another part are kept, in bytes: at most 5 MiB in all.
	maxText, maxPart = 256, 1 << 10
)

// sharer replaces parts of objects by equal parts of objects before them: users, labels, references, reasons. They are most of
// the memory of thousands of objects. Shared objects must not be changed, which caches require anyway.
type sharer struct {
	mu    sync.Mutex
	seed  maphash.Seed
	texts [slots]string
	parts [slots]part
}

// part is a pointer, slice or map, and its digest.
type part struct {
	sum   uint64
	value reflect.Value
}

// digest identifies a value approximately: equal values have equal sums. size is how many bytes it takes.
type digest struct {
	sum  uint64
	size int
}

// add combines a digest with the digest of the next field or element.
func (d digest) add(next digest) digest { return digest{d.sum*31 + next.sum, d.size + next.size} }

func newSharer() *sharer { return &sharer{seed: maphash.MakeSeed()} }

// share replaces the parts of an object, which is a pointer to a struct.
func (s *sharer) share(obj any) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.visit(reflect.ValueOf(obj).Elem())
}

// visit replaces the parts of a settable value and returns its digest. The digest leaves out values of other kinds, such as times: equality is
// checked before a part is replaced.
func (s *sharer) visit(v reflect.Value) digest {
	d := digest{size: int(v.Type().Size())}
	switch v.Kind() {
	case reflect.String:
		return s.text(v)
	case reflect.Struct:
		d.size = 0                    // the sum over its fields
		for i := range v.NumField() { //nolint:modernize // Fields describes each of them anew, which takes longer than all else
			if field := v.Field(i); field.CanSet() {
				d = d.add(s.visit(field))
			} else {
				d.size += int(field.Type().Size())
			}
		}
		return d
	case reflect.Pointer, reflect.Slice, reflect.Map:
		if v.IsNil() {
			return d
		}
		return s.part(v)
	case reflect.Bool:
		if v.Bool() {
			d.sum = 1
		}
	case reflect.Int, reflect.Int32, reflect.Int64:
		d.sum = uint64(v.Int())
	default:
	}
	return d
}

func (s *sharer) text(v reflect.Value) digest {
	text := v.String()
	d := digest{maphash.String(s.seed, text), int(v.Type().Size()) + len(text)}
	slot := &s.texts[d.sum%slots]
	switch {
	case *slot == text:
		v.SetString(*slot)
	case len(text) <= maxText:
		*slot = text
	}
	return d
}

func (s *sharer) part(v reflect.Value) digest {
	d := s.content(v)
	slot := &s.parts[d.sum%slots]
	switch {
	case slot.sum == d.sum && slot.value.IsValid() && slot.value.Type() == v.Type() && reflect.DeepEqual(slot.value.Interface(), v.Interface()):
		v.Set(slot.value)
	case d.size <= maxPart:
		*slot = part{d.sum, reflect.ValueOf(v.Interface())}
	}
	return d
}

// content returns the digest of the content of a pointer, slice or map.
func (s *sharer) content(v reflect.Value) digest {
	d := digest{uint64(v.Kind()), int(v.Type().Size())}
	switch {
	case v.Kind() == reflect.Pointer:
		return d.add(s.visit(v.Elem()))
	case v.Kind() == reflect.Map: // its keys and values cannot be set, and come in any order
		for key, value := range v.Seq2() {
			d.sum += maphash.String(s.seed, key.String())*31 + maphash.String(s.seed, value.String())
			d.size += key.Len() + value.Len()
		}
	case v.Type().Elem().Kind() == reflect.Uint8:
		return d.add(digest{maphash.Bytes(s.seed, v.Bytes()), v.Len()})
	default:
		for i := range v.Len() {
			d = d.add(s.visit(v.Index(i)))
		}
	}
	return d
}
