//! The label values of the request metrics. Each is a closed set, so the number of series is bounded whatever
//! clients send; as enums they are also the indices of the counters, so counting needs no lookup.

use hyper::StatusCode;

/// The `handler` label.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Route {
    Root,
    Session,
    Chat,
    Metrics,
    Healthz,
    Readyz,
    /// Any other path.
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

    /// The index among [`TENANT_ROUTES`](Self::TENANT_ROUTES) of a route that has series by tenant.
    pub(crate) const fn tenant_index(self) -> Option<usize> {
        match self {
            Self::Session => Some(0),
            Self::Chat => Some(1),
            _ => None,
        }
    }

    /// The routes that act for a tenant, and so have series by tenant.
    pub(crate) const TENANT_ROUTES: [Self; 2] = [Self::Session, Self::Chat];
}

/// The `method` label.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Method {
    Get,
    Post,
    Put,
    Patch,
    Delete,
    Head,
    Options,
    Trace,
    Connect,
    /// A method that HTTP does not define.
    Other,
}

impl Method {
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

    pub(crate) fn of(method: &hyper::Method) -> Self {
        match *method {
            hyper::Method::GET => Self::Get,
            hyper::Method::POST => Self::Post,
            hyper::Method::PUT => Self::Put,
            hyper::Method::PATCH => Self::Patch,
            hyper::Method::DELETE => Self::Delete,
            hyper::Method::HEAD => Self::Head,
            hyper::Method::OPTIONS => Self::Options,
            hyper::Method::TRACE => Self::Trace,
            hyper::Method::CONNECT => Self::Connect,
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

/// The `status` label: every status that this server responds with.
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

    /// The label of a status. A status that is not listed counts as 500: that a route sends one is a defect.
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
        assert!(Method::ALL.iter().enumerate().all(|(index, method)| *method as usize == index));
        assert!(Status::ALL.iter().enumerate().all(|(index, status)| *status as usize == index));
        assert!(
            Route::TENANT_ROUTES.iter().enumerate().all(|(index, route)| route.tenant_index() == Some(index))
        );
    }

    #[test]
    fn the_label_of_a_status_is_its_code() {
        for status in Status::ALL {
            assert_eq!(Status::of(status.label().parse().unwrap()), status);
        }
    }
}
