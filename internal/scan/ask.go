package scan

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"penstock"
)

// The worker has no network. What an engine wants to know of a forge it asks the
// parent, which believes nothing of the question but that it is well formed: a worker
// that was taken over can make the parent look up repositories, and no more.

// maxQuestions bounds how many questions a worker may ask. What requests they may cost
// is bounded by who resolves them.
const maxQuestions = 4000

// ask puts questions to the parent and waits. The answers are as many as the
// questions; all are unknown if the parent does not answer.
func (w *worker) ask(questions []penstock.Question) []penstock.Answer {
	answers := make([]penstock.Answer, len(questions))
	payload, err := json.Marshal(questions)
	if err != nil || len(questions) == 0 {
		return answers
	}
	w.asking.Lock()
	defer w.asking.Unlock()
	w.frame(frameAsk, payload)
	w.flush()
	kind, payload, err := readFrame(w.answers, nil)
	var got []penstock.Answer
	if err == nil && kind == frameAnswer && json.Unmarshal(payload, &got) == nil && len(got) == len(questions) {
		return got
	}
	return answers
}

// answer answers one frame of questions.
func (r *run) answer(ctx context.Context, payload []byte) error {
	questions, ok := decodeQuestions(payload)
	if !ok || !r.job.Ask || r.cfg.Resolve == nil {
		return errFrame
	}
	// What is asked twice is answered once.
	at := make(map[penstock.Question]int, len(questions))
	var once []penstock.Question
	for _, q := range questions {
		if _, ok := at[q]; !ok && r.asked < maxQuestions {
			r.asked++
			at[q] = len(once)
			once = append(once, q)
		}
	}
	found := r.cfg.Resolve(ctx, once)
	if err := ctx.Err(); err != nil {
		return err
	}
	if len(found) != len(once) {
		return fmt.Errorf("answer questions: %d answers to %d questions", len(found), len(once)) // a programmer's error
	}
	answers := make([]penstock.Answer, len(questions))
	left := 0
	for i, q := range questions {
		if k, ok := at[q]; ok {
			answers[i] = found[k]
		} else {
			left++
		}
	}
	if left > 0 {
		r.notes = append(r.notes, &penstock.Note{
			Code: "online-left-out", Message: fmt.Sprintf("%d questions to the forge were not asked: a run may ask %d", left, maxQuestions),
		})
	}
	b, err := json.Marshal(answers)
	if err != nil {
		return fmt.Errorf("answer questions: %w", err)
	}
	w := bufio.NewWriter(r.answers)
	return errors.Join(writeFrame(w, frameAnswer, b), w.Flush())
}

// decodeQuestions reads a frame of well-formed questions, at most maxQuestions. It stops
// at the first that is none: a frame may hold millions.
func decodeQuestions(payload []byte) ([]penstock.Question, bool) {
	d := json.NewDecoder(bytes.NewReader(payload))
	if open, err := d.Token(); err != nil || open != json.Delim('[') {
		return nil, false
	}
	var questions []penstock.Question
	for d.More() {
		var q penstock.Question
		if len(questions) == maxQuestions || d.Decode(&q) != nil || !q.Valid() {
			return nil, false
		}
		questions = append(questions, q)
	}
	_, err := d.Token()
	return questions, err == nil && len(questions) > 0
}
