//! A second core beside the first that is told the same and never rests: after each event it is made to look at everything.
//!
//! The core looks at one camera after most events, and at all only when something is due (`appliance/attention.rs` in
//! core). That is a matter of cost alone, so both have to decide the same, at the same moments.

use holdfast_core::Appliance;
use holdfast_core::effect::Effect;
use holdfast_core::event::Event;
use holdfast_core::settings::Settings;
use holdfast_core::time::Now;

/// See the module.
pub struct Twin {
    core: Box<Appliance>,
    /// What it decided after the last event.
    decided: Vec<Effect>,
    /// What the first one did.
    heard: Vec<Effect>,
}

impl Twin {
    /// One that starts with the other.
    pub fn new(settings: Settings) -> Self {
        Twin { core: Box::new(Appliance::new(settings)), decided: Vec::new(), heard: Vec::new() }
    }

    /// It is told what the other is told, and then a fact that changes nothing but is nobody's alone.
    pub fn tell(&mut self, now: Now, event: &Event) {
        self.decided.clear();
        self.heard.clear();
        for event in [event.clone(), Event::DiskGone { disk: Default::default() }] {
            self.core.handle(now, event);
            self.decided.extend(core::iter::from_fn(|| self.core.poll_effect()));
        }
    }

    /// The other decided this.
    pub fn hear(&mut self, effect: &Effect) {
        self.heard.push(effect.clone());
    }

    /// How they differ after this event, in whatever order; `None` if they do not.
    pub fn differs(&self) -> Option<String> {
        let without = |these: &[Effect], others: &[Effect]| {
            let mut left = others.to_vec();
            let alone = |effect: &&Effect| match left.iter().position(|other| other == *effect) {
                Some(at) => {
                    left.swap_remove(at);
                    false
                }
                None => true,
            };
            these.iter().filter(alone).map(|effect| format!("{effect:?}")).collect::<Vec<_>>()
        };
        let (missed, made) = (without(&self.decided, &self.heard), without(&self.heard, &self.decided));
        let same = missed.is_empty() && made.is_empty();
        (!same).then(|| format!("one that looks at everything decides {missed:?} instead of {made:?}"))
    }
}
