//! The label values of the request metrics, each a closed set: whatever a client sends, the number of series is bounded.
//! As plain enums they are also the indices of the counters, so that counting needs no lookup.

use hyper::{Method, StatusCode};

/// The tenant label of a request whose tenant is unknown or cannot be reported. No tenant may have this id.
pub(crate) const UNKNOWN: &str = "unknown";

/// What was asked for: the `handler` label.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Route {
    Root,
    Session,
    Chat,
    Metrics,
    Healthz,
    Readyz,
    /// A path that is none of ours.
    None,
}

impl Route {
    pub(crate) const ALL: [Self; 7] =
        [Self::Root, Self::Session, Self::Chat, Self::Metrics, Self::Healthz, Self::Readyz, Self::None];

    /// The path that the router matches, exactly.
    pub(crate) const fn label(self) -> &'static str {
        match self {
            Self::Root => "/",
            Self::Session => "/session",
            Self::Chat => "/chat",
            Self::Metrics => "/metrics",
            Self::Healthz => "/healthz",
            Self::Readyz => "/readyz",
            Self::None => "none",
        }
    }

    /// Routes that act for a tenant, and so have series by tenant: their place among those.
    pub(crate) const fn tenant_index(self) -> Option<usize> {
        match self {
            Self::Session => Some(0),
            Self::Chat => Some(1),
            _ => None,
        }
    }

    /// The routes that [`tenant_index`](Self::tenant_index) numbers.
    pub(crate) const OF_TENANTS: [Self; 2] = [Self::Session, Self::Chat];
}

/// The `method` label.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Verb {
    Get,
    Post,
    Put,
    Patch,
    Delete,
    Head,
    Options,
    Trace,
    Connect,
    /// A method that HTTP does not know.
    Other,
}

impl Verb {
    pub(crate) const ALL: [Self; 10] = [
        Self::Get,
        Self::Post,
        Self::Put,
        Self::Patch,
        Self::Delete,
        Self::Head,
        Self::Options,
        Self::Trace,
        Self::Connect,
        Self::Other,
    ];

    pub(crate) fn of(method: &Method) -> Self {
        match *method {
            Method::GET => Self::Get,
            Method::POST => Self::Post,
            Method::PUT => Self::Put,
            Method::PATCH => Self::Patch,
            Method::DELETE => Self::Delete,
            Method::HEAD => Self::Head,
            Method::OPTIONS => Self::Options,
            Method::TRACE => Self::Trace,
            Method::CONNECT => Self::Connect,
            _ => Self::Other,
        }
    }

    pub(crate) const fn label(self) -> &'static str {
        match self {
            Self::Get => "GET",
            Self::Post => "POST",
            Self::Put => "PUT",
            Self::Patch => "PATCH",
            Self::Delete => "DELETE",
            Self::Head => "HEAD",
            Self::Options => "OPTIONS",
            Self::Trace => "TRACE",
            Self::Connect => "CONNECT",
            Self::Other => "OTHER",
        }
    }
}

/// The `status` label: every status that this server answers with, and no other.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Status {
    Ok,
    BadRequest,
    Forbidden,
    NotFound,
    MethodNotAllowed,
    RequestTimeout,
    PayloadTooLarge,
    Unprocessable,
    TooManyRequests,
    InternalError,
    Unavailable,
}

impl Status {
    pub(crate) const ALL: [Self; 11] = [
        Self::Ok,
        Self::BadRequest,
        Self::Forbidden,
        Self::NotFound,
        Self::MethodNotAllowed,
        Self::RequestTimeout,
        Self::PayloadTooLarge,
        Self::Unprocessable,
        Self::TooManyRequests,
        Self::InternalError,
        Self::Unavailable,
    ];

    pub(crate) const fn label(self) -> &'static str {
        match self {
            Self::Ok => "200",
            Self::BadRequest => "400",
            Self::Forbidden => "403",
            Self::NotFound => "404",
            Self::MethodNotAllowed => "405",
            Self::RequestTimeout => "408",
            Self::PayloadTooLarge => "413",
            Self::Unprocessable => "422",
            Self::TooManyRequests => "429",
            Self::InternalError => "500",
            Self::Unavailable => "503",
        }
    }

    /// The label of a status; one that no route sends would be a defect of this server.
    pub(crate) fn of(code: StatusCode) -> Self {
        match code {
            StatusCode::OK => Self::Ok,
            StatusCode::BAD_REQUEST => Self::BadRequest,
            StatusCode::FORBIDDEN => Self::Forbidden,
            StatusCode::NOT_FOUND => Self::NotFound,
            StatusCode::METHOD_NOT_ALLOWED => Self::MethodNotAllowed,
            StatusCode::REQUEST_TIMEOUT => Self::RequestTimeout,
            StatusCode::PAYLOAD_TOO_LARGE => Self::PayloadTooLarge,
            StatusCode::UNPROCESSABLE_ENTITY => Self::Unprocessable,
            StatusCode::TOO_MANY_REQUESTS => Self::TooManyRequests,
            StatusCode::SERVICE_UNAVAILABLE => Self::Unavailable,
            _ => Self::InternalError,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_value_is_its_own_index() {
        assert!(Route::ALL.iter().enumerate().all(|(index, route)| *route as usize == index));
        assert!(Verb::ALL.iter().enumerate().all(|(index, verb)| *verb as usize == index));
        assert!(Status::ALL.iter().enumerate().all(|(index, status)| *status as usize == index));
        assert!(
            Route::OF_TENANTS.iter().enumerate().all(|(index, route)| route.tenant_index() == Some(index))
        );
    }

    #[test]
    fn each_label_of_a_status_is_its_code() {
        for status in Status::ALL {
            assert_eq!(Status::of(status.label().parse().unwrap()), status);
        }
    }
}
