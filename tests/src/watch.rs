//! What a running recorder says of its cameras, asked as a person would: `holdfast status --json`.

use crate::command;
use crate::recorder::Recorder;
use crate::report;
use crate::stage::Stage;
use crate::{LabError, wait_until, wall_micros};
use serde_json::Value;
use std::time::Duration;

/// A camera at one moment.
#[derive(Clone, Debug, PartialEq)]
pub struct CameraState {
    /// Its id.
    pub id: String,
    /// `recording`, `fallback`, `backing-off` and so on.
    pub state: String,
    /// What is wrong, if something is.
    pub detail: String,
    /// End of its durable footage, microseconds of UTC; 0 if there is none.
    pub durable_until: i64,
}

/// The answer.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Status {
    /// Its cameras.
    pub cameras: Vec<CameraState>,
    /// Its standing alarms, in words.
    pub alarms: Vec<String>,
}

impl Status {
    /// Asks the recorder of this stage.
    ///
    /// # Errors
    /// It does not answer, or not in JSON.
    pub fn ask(stage: &Stage) -> Result<Status, LabError> {
        let runtime = stage.folder().join("runtime").display().to_string();
        let said = command::said(stage.binary(), &["status", "--runtime", &runtime, "--json"])?;
        let json: Value = serde_json::from_str(&said.out).map_err(|error| LabError::Child {
            program: "holdfast status".to_owned(),
            problem: format!("exit {:?}: {error}: {}", said.code, said.err.trim()),
        })?;
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let list = |value: &Value| value.as_array().cloned().unwrap_or_default();
        let camera = |camera: &Value| CameraState {
            id: text(&camera["id"]),
            state: text(&camera["state"]),
            detail: text(&camera["detail"]),
            durable_until: report::moment(&camera["durable_until"]).unwrap_or(0),
        };
        let cameras = list(&json["cameras"]).iter().map(camera).collect();
        Ok(Status {
            cameras,
            alarms: list(&json["alarms"]).iter().map(|alarm| text(&alarm["text"])).collect(),
        })
    }

    /// One camera.
    pub fn camera(&self, id: &str) -> Option<&CameraState> {
        self.cameras.iter().find(|camera| camera.id == id)
    }

    /// Asks until `condition` holds; the last answer.
    ///
    /// # Errors
    /// It does not within `deadline`: the recorder's log is in the error.
    pub fn until(
        stage: &Stage,
        recorder: &Recorder,
        deadline: Duration,
        what: &str,
        mut condition: impl FnMut(&Status) -> bool,
    ) -> Result<Status, LabError> {
        let mut last = Status::default();
        let held = wait_until(deadline, || {
            // A recorder that has only just begun does not answer yet.
            last = Status::ask(stage).unwrap_or_default();
            condition(&last)
        });
        if held {
            return Ok(last);
        }
        let problem = format!("not within {deadline:?}: {what}; {last:#?}\n{}", recorder.log());
        Err(LabError::Child { program: "holdfast".to_owned(), problem })
    }

    /// Waits until every camera's footage is durable from now on.
    ///
    /// # Errors
    /// As [`Status::until`].
    pub fn until_all_record(stage: &Stage, recorder: &Recorder, deadline: Duration) -> Result<(), LabError> {
        let begun = wall_micros();
        let fresh = |status: &Status| {
            let cameras = &status.cameras;
            !cameras.is_empty() && cameras.iter().all(|camera| camera.durable_until > begun)
        };
        Status::until(stage, recorder, deadline, "every camera records", fresh).map(drop)
    }
}
