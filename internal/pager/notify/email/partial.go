// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package email

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"slices"
	"strings"

	"github.com/gophernetes/bellhop/internal/pager/notify"
	"github.com/gophernetes/bellhop/internal/pager/notify/result"
)

// recipients is a set of indices in Config.To.
type recipients uint16

func (r recipients) has(i int) bool { return r&(1<<i) != 0 }
func (r *recipients) add(i int)     { *r |= 1 << i }

// settle returns how a message ended for the recipients together. Those who have it are not sent it again: a refusal for good is a note
// about the others, and a refusal for now an error that names, for the next attempt, who has it.
func (s *Sender) settle(k notify.Key, has recipients, refused []*result.Error) (note string, err error) {
	if len(refused) == 0 {
		return "", nil
	}
	failure := combine(refused)
	if has == 0 {
		return "", failure
	}
	count := fmt.Sprintf("%d of %d recipients refused: ", len(refused), len(s.to))
	if failure.Class != result.Temporary {
		return count + failure.Message, nil
	}
	failure.Message = count + failure.Message + "; the others have the message, and are not sent it again"
	failure.Partial = s.partialOf(k, has)
	return "", failure
}

// partialOf returns the recipients in the form of result.Error.Partial, which the Alert's status shows: without their addresses, and
// independent of their order in the list, which may be edited before the next attempt. It names the message too, and whether some
// recipients have a former one.
func (s *Sender) partialOf(k notify.Key, has recipients) string {
	words := []string{messageTag(k)}
	for i := range s.to {
		if has.has(i) {
			words = append(words, s.tag(k, i))
		}
	}
	if s.followsFormer(k) {
		words = append(words, hasFormer)
	}
	return strings.Join(words, " ")
}

// hasFormer is the word for a message that follows one that some recipients have.
const hasFormer = "former"

// recipientsIn returns the recipients that, by the last failed attempt of a message, have it.
func (s *Sender) recipientsIn(k notify.Key) (has recipients) {
	tags := strings.Fields(k.Partial)
	for i := range s.to {
		if slices.Contains(tags, s.tag(k, i)) {
			has.add(i)
		}
	}
	return has
}

// followsFormer reports whether, by the last failed attempt, some recipients have a former message of the Alert.
func (s *Sender) followsFormer(k notify.Key) bool {
	words := strings.Fields(k.Partial)
	isOfThis := slices.Contains(words, messageTag(k)) || s.recipientsIn(k) != 0
	return len(words) > 0 && (!isOfThis || slices.Contains(words, hasFormer))
}

func (s *Sender) tag(k notify.Key, i int) string { return digest(k.Delivery + " " + s.to[i].Address) }

func messageTag(k notify.Key) string { return digest(k.Delivery) }

func digest(text string) string {
	sum := sha256.Sum256([]byte(text))
	return hex.EncodeToString(sum[:4])
}
