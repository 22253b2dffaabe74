package pipeline

import "strings"

// AzureCondition is what stands behind condition: in Azure Pipelines:
// and(succeeded(), eq(variables['Build.Reason'], 'PullRequest')).
type AzureCondition struct{ Expression Expression }

// ParseAzureCondition parses a condition: calls, members, literals. A condition
// replaces the default, succeeded(), and an empty one is that. The error is a
// *SyntaxError. Literals of versions (1.2.3) are not read.
//
// https://learn.microsoft.com/en-us/azure/devops/pipelines/process/expressions
func ParseAzureCondition(text string) (AzureCondition, error) {
	if strings.TrimSpace(text) == "" {
		text = "succeeded()"
	}
	e, err := ParseExpression(text)
	e.Problems = nil // they are about GitHub's functions and contexts
	return AzureCondition{e}, err
}

// Evaluate decides the condition as far as env allows. Variables are named like
// variables['Build.Reason'].
func (c AzureCondition) Evaluate(env *Environment) Value {
	if c.Expression.Root == nil {
		return Null()
	}
	return newEvaluator(env).azure(c.Expression.Root)
}

func (x *evaluator) azure(n *ExprNode) Value {
	switch n.Kind {
	case ExprContext:
		switch strings.ToLower(n.Name) {
		case "true", "false": // in any case
			return Boolean(strings.EqualFold(n.Name, "true"))
		case "null":
			return Null()
		}
	case ExprCall:
		return x.azureCall(n)
	case ExprNot, ExprCompare, ExprAnd, ExprOr:
		return failed("conditions have functions for operators", nil)
	}
	return x.eval(n).Value
}

func (x *evaluator) azureCall(n *ExprNode) Value {
	if x.steps--; x.steps < 0 {
		return failed(tooMuch, nil)
	}
	args := make([]Value, len(n.Args))
	for i, a := range n.Args {
		args[i] = x.azure(a)
	}
	first := func(i int) Value {
		if i < len(args) {
			return args[i]
		}
		return Null()
	}
	both := func(ask func(a, b Value) Truth) Value {
		return decided(decide(first(0), first(1), x.within(ask)), args)
	}
	switch n.Name {
	case "always":
		return Boolean(true)
	case "succeeded", "failed", "canceled", "succeededorfailed":
		return x.azureStatus(n.Name, args)
	case "and", "or":
		stop := False
		if n.Name == "or" {
			stop = True
		}
		var open []Value
		for _, a := range args {
			switch t := a.Truth(); t {
			case stop:
				return Boolean(stop == True)
			case Undecided:
				open = append(open, a)
			}
		}
		if len(open) > 0 {
			return unknownBoolean(dependsOf(open...))
		}
		return Boolean(stop == False)
	case "not":
		return decided(first(0).Truth().Not(), args)
	case "xor":
		a, b := first(0).Truth(), first(1).Truth()
		if a == Undecided || b == Undecided {
			return unknownBoolean(dependsOf(args...))
		}
		return Boolean(a != b)
	case "eq":
		return both(equalAzure)
	case "ne":
		return both(func(a, b Value) Truth { return equalAzure(a, b).Not() })
	case "lt", "le", "gt", "ge":
		return both(func(a, b Value) Truth {
			if !a.Known() || !b.Known() {
				return Undecided
			}
			b = castAzure(b, a.kind)
			switch n.Name {
			case "lt":
				return truthOf(lessValues(a, b))
			case "le":
				return truthOf(lessValues(a, b) || equalValues(a, b))
			case "gt":
				return truthOf(lessValues(b, a))
			}
			return truthOf(lessValues(b, a) || equalValues(a, b))
		})
	case "in", "notin":
		out := False
		for _, a := range args[min(1, len(args)):] {
			switch decide(first(0), a, x.within(equalAzure)) {
			case True:
				return Boolean(n.Name == "in")
			case Undecided:
				out = Undecided
			}
		}
		if n.Name == "notin" {
			out = out.Not()
		}
		return decided(out, args)
	case "contains":
		return both(func(a, b Value) Truth {
			if a.kind == KindArray {
				return False // containsValue is for lists
			}
			return x.contains(a, b)
		})
	case "containsvalue":
		return both(func(a, b Value) Truth {
			if a.kind == KindArray {
				return x.contains(a, b)
			}
			return Undecided
		})
	case "startswith":
		return both(startsWith)
	case "endswith":
		return both(endsWith)
	case "coalesce":
		for _, a := range args {
			if !a.Known() {
				return Unknown(dependsOf(args...)...)
			}
			if a.kind != KindNull && (a.kind != KindString || a.string != "") {
				return a
			}
		}
		return Null()
	case "lower", "upper":
		v := first(0)
		if !v.Known() || !x.spend(v.size()) {
			return UnknownString("", "", dependsOf(args...)...)
		}
		if n.Name == "lower" {
			return String(strings.ToLower(v.text()))
		}
		return String(strings.ToUpper(v.text()))
	case "length":
		switch v := first(0); v.kind {
		case KindArray:
			return Number(float64(len(*v.array)))
		case KindString:
			return Number(float64(len(v.string)))
		}
	case "replace":
		if v, from, to := first(0), first(1), first(2); v.Known() && from.Known() && to.Known() && from.text() != "" &&
			x.spend(v.size()+strings.Count(v.text(), from.text())*len(to.text())) {
			return String(strings.ReplaceAll(v.text(), from.text(), to.text()))
		}
	case "trim":
		if v := first(0); v.Known() {
			return String(strings.TrimSpace(v.text()))
		}
	case "iif":
		switch first(0).Truth() {
		case True:
			return first(1)
		case False:
			return first(2)
		}
	case "format":
		if len(args) > 0 {
			return x.format(args)
		}
	}
	return Unknown(union([]string{n.Name + "()"}, dependsOf(args...))...)
}

func (x *evaluator) azureStatus(name string, args []Value) Value {
	if x.env.Status == StatusAny || len(args) > 0 {
		return unknownBoolean([]string{name + "()"})
	}
	switch name {
	case "succeeded":
		return Boolean(x.env.Status == StatusSuccess)
	case "failed":
		return Boolean(x.env.Status == StatusFailure)
	case "canceled":
		return Boolean(x.env.Status == StatusCancelled)
	}
	return Boolean(x.env.Status != StatusCancelled)
}

// castAzure converts the right side to the kind of the left.
func castAzure(v Value, kind ValueKind) Value {
	switch kind {
	case KindString:
		if v.kind == KindBoolean || v.kind == KindNumber || v.kind == KindNull {
			return String(v.text())
		}
	case KindBoolean:
		return Boolean(v.Truth() == True)
	case KindNumber:
		return Number(v.toNumber())
	}
	return v
}

// equalAzure compares after the right side is converted to the kind of the left;
// strings without case.
func equalAzure(a, b Value) Truth {
	if a.Known() && b.Known() {
		return truthOf(equalValues(a, castAzure(b, a.kind)))
	}
	return equalTruth(a, b)
}
