//! The label values of the request metrics, each a closed set: whatever a client sends, the number of series is bounded.
//! As plain enums they are also the indices of the counters, so that counting needs no lookup.

use hyper::{Method, StatusCode};

/// The tenant label of a request whose tenant is unknown or cannot be told. No tenant may have this id.
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

    /// The route of a path; paths are matched exactly.
    pub(crate) fn of(path: &str) -> Self {
        match path {
            "/" => Self::Root,
            "/session" => Self::Session,
            "/chat" => Self::Chat,
            "/metrics" => Self::Metrics,
            "/healthz" => Self::Healthz,
            "/readyz" => Self::Readyz,
            _ => Self::None,
        }
    }

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

    /// The one method that it answers.
    pub(crate) const fn verb(self) -> Option<Verb> {
        match self {
            Self::Session | Self::Chat => Some(Verb::Post),
            Self::Root | Self::Metrics | Self::Healthz | Self::Readyz => Some(Verb::Get),
            Self::None => None,
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

    pub(crate) const fn code(self) -> StatusCode {
        match self {
            Self::Ok => StatusCode::OK,
            Self::BadRequest => StatusCode::BAD_REQUEST,
            Self::Forbidden => StatusCode::FORBIDDEN,
            Self::NotFound => StatusCode::NOT_FOUND,
            Self::MethodNotAllowed => StatusCode::METHOD_NOT_ALLOWED,
            Self::RequestTimeout => StatusCode::REQUEST_TIMEOUT,
            Self::PayloadTooLarge => StatusCode::PAYLOAD_TOO_LARGE,
            Self::Unprocessable => StatusCode::UNPROCESSABLE_ENTITY,
            Self::TooManyRequests => StatusCode::TOO_MANY_REQUESTS,
            Self::InternalError => StatusCode::INTERNAL_SERVER_ERROR,
            Self::Unavailable => StatusCode::SERVICE_UNAVAILABLE,
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
    fn routes_and_labels_agree() {
        for route in Route::ALL {
            assert_eq!(Route::of(route.label()), route);
        }
        assert_eq!(Route::of("/chat/"), Route::None);
        for status in Status::ALL {
            assert_eq!(status.label(), status.code().as_str());
        }
    }
}
