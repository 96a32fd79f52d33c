use std::sync::Arc;

use jiff::Timestamp;
use serde_json::Value;

use crate::cel::{CelError, Expression};
use crate::kstatus::{self, Status, Verdict};
use crate::object::group_kind;

/// What an object's owner says of the health of a kind, as text.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CustomHealth {
    /// Its version does not matter, only its group.
    pub api_version: String,
    /// Every kind of the group, if there is none.
    pub kind: Option<String>,
    /// True when the object is as wanted.
    pub current: String,
    /// True when it is on its way.
    pub in_progress: Option<String>,
    /// True when it will not get there.
    pub failed: Option<String>,
}

/// How health is judged: by kstatus, and by expressions for the kinds that have some.
#[derive(Clone, Debug, Default)]
pub struct HealthRules(Arc<[Rule]>);

#[derive(Debug)]
struct Rule {
    group: String,
    kind: Option<String>,
    /// In the order in which they are tried.
    expressions: Vec<(Verdict, Expression)>,
}

/// An expression about health that can't be used. Texts are Flux's.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum HealthRuleError {
    /// It is no expression.
    #[error("failed to create custom status evaluator for healthchecks[{at}]: {why}")]
    Unusable {
        /// Which one of the list, from zero.
        at: usize,
        /// What is wrong with it.
        why: String,
    },
    /// It is for a kind that another one is for.
    #[error("duplicate custom health check for GroupKind {kind} at healthchecks[{at}]")]
    Twice {
        /// Which one of the list, from zero.
        at: usize,
        /// The kind and its group.
        kind: String,
    },
}

impl HealthRules {
    /// Reads all of them.
    ///
    /// # Errors
    /// At the first that is no expression, or is for a kind that another one is for.
    pub fn new(all: impl IntoIterator<Item = CustomHealth>) -> Result<Self, HealthRuleError> {
        let mut rules: Vec<Rule> = Vec::new();
        for (at, custom) in all.into_iter().enumerate() {
            let (group, kind) = (group(&custom.api_version), given(&custom.kind));
            if rules
                .iter()
                .any(|known| known.group == group && known.kind == kind)
            {
                let kind = group_kind(group, kind.as_deref().unwrap_or_default());
                return Err(HealthRuleError::Twice { at, kind });
            }
            let rule = Rule::new(&custom).map_err(|why| HealthRuleError::Unusable { at, why })?;
            rules.push(rule);
        }
        Ok(Self(rules.into()))
    }

    /// Judges an object at the time `now`.
    #[must_use]
    pub fn judge(&self, object: &Value, now: Timestamp) -> Status {
        match self.rule_for(object) {
            Some(rule) => rule.judge(object),
            None => kstatus::compute(object, now),
        }
    }

    /// A rule for the kind goes before one for its group.
    fn rule_for(&self, object: &Value) -> Option<&Rule> {
        let text = |key: &str| object.get(key).and_then(Value::as_str).unwrap_or_default();
        let (group, kind) = (group(text("apiVersion")), text("kind"));
        let mut of_group = self.0.iter().filter(|rule| rule.group == group);
        let exact = of_group.clone().find(|rule| rule.kind.as_deref() == Some(kind));
        exact.or_else(|| of_group.find(|rule| rule.kind.is_none()))
    }
}

impl Rule {
    fn new(custom: &CustomHealth) -> Result<Self, String> {
        let read = |name: &str, text: &str| {
            let wrap = |error: CelError| format!("failed to parse the expression {name}: {error}");
            Expression::parse(text).map_err(wrap)
        };
        if custom.current.is_empty() {
            return Err("expression Current not specified".to_owned());
        }
        let current = read("Current", &custom.current)?;
        let mut expressions = Vec::new();
        for (verdict, name, text) in [
            (Verdict::InProgress, "InProgress", given(&custom.in_progress)),
            (Verdict::Failed, "Failed", given(&custom.failed)),
        ] {
            if let Some(text) = text {
                expressions.push((verdict, read(name, &text)?));
            }
        }
        expressions.push((Verdict::Current, current));
        Ok(Self {
            group: group(&custom.api_version).to_owned(),
            kind: given(&custom.kind),
            expressions,
        })
    }

    fn judge(&self, object: &Value) -> Status {
        let number = |path: &str| object.pointer(path).and_then(Value::as_i64);
        let observed = number("/status/observedGeneration");
        let behind =
            observed.is_some_and(|observed| number("/metadata/generation").is_some_and(|g| g != observed));
        let status = |verdict| Status {
            verdict,
            message: String::new(),
        };
        if behind {
            return status(Verdict::InProgress);
        }
        for (verdict, expression) in &self.expressions {
            let fields = object.as_object().into_iter().flatten();
            match expression.is_true(fields.map(|(name, value)| (name.as_str(), value))) {
                Ok(true) => return status(*verdict),
                Ok(false) => {}
                Err(error) => {
                    return Status {
                        verdict: Verdict::Unknown,
                        message: error.to_string(),
                    };
                }
            }
        }
        status(Verdict::InProgress)
    }
}

fn given(text: &Option<String>) -> Option<String> {
    text.clone().filter(|text| !text.is_empty())
}

fn group(api_version: &str) -> &str {
    api_version.split_once('/').map_or("", |(group, _)| group)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn custom(kind: Option<&str>, current: &str) -> CustomHealth {
        CustomHealth {
            api_version: "example.com/v1".into(),
            kind: kind.map(str::to_owned),
            current: current.into(),
            ..CustomHealth::default()
        }
    }

    fn widget(status: Value) -> Value {
        json!({"apiVersion": "example.com/v2", "kind": "Widget", "metadata": {"generation": 2}, "status": status})
    }

    fn verdict(rules: &HealthRules, object: &Value) -> Verdict {
        rules.judge(object, Timestamp::UNIX_EPOCH).verdict
    }

    #[test]
    fn progress_goes_before_failure_and_failure_before_success() {
        let rules = HealthRules::new([CustomHealth {
            in_progress: Some("status.phase == 'wait'".into()),
            failed: Some("status.phase in ['bad', 'wait']".into()),
            ..custom(Some("Widget"), "status.phase != 'bad'")
        }])
        .expect("expressions");
        for (phase, wanted) in [
            ("wait", Verdict::InProgress),
            ("bad", Verdict::Failed),
            ("ok", Verdict::Current),
        ] {
            assert_eq!(
                verdict(&rules, &widget(json!({"phase": phase}))),
                wanted,
                "{phase}"
            );
        }
        let unseen = widget(json!({"phase": "ok", "observedGeneration": 1}));
        assert_eq!(verdict(&rules, &unseen), Verdict::InProgress);
        let silent = rules.judge(&widget(json!({})), Timestamp::UNIX_EPOCH);
        assert_eq!(silent.verdict, Verdict::Unknown);
        assert!(
            silent.message.ends_with("no such key: phase"),
            "{}",
            silent.message
        );
    }

    #[test]
    fn a_rule_for_the_kind_goes_before_one_for_the_group() {
        let all = [custom(None, "false"), custom(Some("Widget"), "true")];
        let rules = HealthRules::new(all).expect("expressions");
        assert_eq!(verdict(&rules, &widget(json!({}))), Verdict::Current);
        let mut gadget = widget(json!({}));
        gadget["kind"] = json!("Gadget");
        assert_eq!(verdict(&rules, &gadget), Verdict::InProgress);
        gadget["apiVersion"] = json!("other.com/v1");
        assert_eq!(verdict(&rules, &gadget), Verdict::Current, "kstatus");
    }

    #[test]
    fn what_can_not_be_used_is_named_by_its_place() {
        let refused = |all: Vec<CustomHealth>| HealthRules::new(all).expect_err("refused").to_string();
        let prefix = "failed to create custom status evaluator for healthchecks";
        assert_eq!(
            refused(vec![custom(None, "")]),
            format!("{prefix}[0]: expression Current not specified")
        );
        let bad = refused(vec![custom(None, "true"), custom(Some("Widget"), "status.(")]);
        assert!(
            bad.starts_with(&format!(
                "{prefix}[1]: failed to parse the expression Current: failed to parse the CEL expression 'status.(': ERROR: <input>:1:8: "
            )),
            "{bad}"
        );
        for (kind, said) in [(Some("Widget"), "Widget.example.com"), (None, ".example.com")] {
            assert_eq!(
                refused(vec![custom(kind, "true"), custom(kind, "status.(")]),
                format!("duplicate custom health check for GroupKind {said} at healthchecks[1]")
            );
        }
    }
}
